/** The benchmark: compares this server with its peers under the same load. `npm run bench -- --help` */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { checkGoals } from './goals.mjs'
import { inPlaceOf } from './lib/again.mjs'
import { buildPrograms } from './lib/build.mjs'
import { writePage } from './lib/docs.mjs'
import { loadGenerator } from './lib/load.mjs'
import { chooseCores, describeMachine, isTooBusy } from './lib/machine.mjs'
import { asText, remarksOn, tableOf } from './lib/report.mjs'
import { summarise } from './lib/statistics.mjs'
import { measure } from './measure.mjs'
import { runningPeer } from './peers/channelstream.mjs'
import { PEERS } from './peers/peer.mjs'
import { SCENARIOS } from './scenarios.mjs'

const RESULTS = new URL('./results/', import.meta.url)
const log = (text) => void process.stderr.write(`${text}\n`)

const HELP = `npm run bench -- [options]

  --only GLOB       only scenarios with a matching id, such as 'fanout-*x1000'; may be repeated
  --peers LIST      only these peers, such as channelstream,nchan
  --seconds S       duration of each round (3)
  --rounds R        rounds of each peer in each scenario (3)
  --frame-bytes B   length of delivered frames (250)
  --quick           a smoke run of a few scenarios and peers, below 20 s; its figures are not meaningful
  --profile DIR     write a CPU profile of this server to DIR for each round (open it in the browser's developer tools)
  --url NAME=URL    also measure a running server on loopback that has the API of Channelstream, such as
                    the Python one: old=http://127.0.0.1:8001; may be repeated
  --secret TEXT     the secret that signs requests to servers given by --url (secret)
  --pids LIST       the processes of servers given by --url, to read their CPU and memory
  --name NAME       name of the file in bench/results (latest)
  --again NAME      replace the measured scenarios in the earlier results NAME, and mark them; for rows that other work
                    on the machine has disturbed
  --write-docs      write docs/benchmarks.md
  --json            print the results as JSON instead of the table
  --list            print the scenarios

Peers that are not installed are skipped and listed. BENCH_PEERS names a directory to search for more packages.`

/**
 * @typedef {import('./scenarios.mjs').Scenario & { peers: Record<string, Column> }} Outcome
 * @typedef {{ rounds: Record<string, number>[], summary: ReturnType<typeof summarise>, failed?: string }} Column
 * @typedef {Awaited<ReturnType<typeof run>>} Results
 */

async function main() {
  const options = readOptions()
  if (options.help) return console.log(HELP)
  if (options.list) return SCENARIOS.forEach(({ id, title }) => console.log(id.padEnd(18), title))
  const earlier = options.again === '' ? undefined : await readResults(options.again)
  const played = await run(options)
  const results = earlier ? inPlaceOf(earlier, played) : played
  await mkdir(RESULTS, { recursive: true })
  await writeFile(new URL(`${options.name}.json`, RESULTS), `${JSON.stringify(results, null, 1)}\n`)
  if (options['write-docs']) await writePage(results)
  print(results, options)
  const columns = results.outcomes.flatMap(({ peers }) => Object.values(peers))
  const hasFailed = columns.some(({ failed }) => failed)
  if (hasFailed || results.goals.at(-1)?.verdict === 'miss') process.exitCode = 1
}

function readOptions() {
  const text = (fallback) => ({ type: 'string', default: fallback })
  const several = { type: 'string', multiple: true, default: [] }
  const flag = { type: 'boolean', default: false }
  const { values } = parseArgs({
    options: {
      only: several,
      url: several,
      peers: text(''),
      seconds: text(''),
      rounds: text(''),
      'frame-bytes': text('250'),
      secret: text('secret'),
      pids: text(''),
      profile: text(''),
      name: text('latest'),
      again: text(''),
      ...{ quick: flag, 'write-docs': flag, json: flag, list: flag, help: flag },
    },
  })
  if (!/^[\w.-]+$/.test(values.name)) throw new Error('--name must be a file name without a path')
  return {
    ...values,
    seconds: Number(values.seconds) || (values.quick ? 0.4 : 3),
    rounds: Number(values.rounds) || (values.quick ? 1 : 3),
    frameBytes: Number(values['frame-bytes']),
  }
}

async function run(options) {
  const programs = await buildPrograms()
  const cores = chooseCores()
  const load = loadGenerator(programs.load, cores.load)
  const nodeFlags = options.profile === '' ? [] : profiling(options.profile)
  const bench = {
    place: { core: cores.server, besides: cores.besides, programs, load, nodeFlags },
    seconds: options.seconds,
    frameBytes: options.frameBytes,
    envelopes: new Map(),
  }
  const machine = await describeMachine()
  if (cores.server === cores.load) log('only one core: servers and load generator share it')
  if (isTooBusy(machine)) {
    log(`other work uses ${machine.busyPercent} % of the CPU: the figures are unreliable`)
  }
  const { present, skipped } = choosePeers(options)
  for (const { name, reason } of skipped) log(`skipping ${name}: ${reason}`)
  const outcomes = []
  for (const scenario of chooseScenarios(options)) {
    outcomes.push(await play(bench, scenario, present, options.rounds))
  }
  const { seconds, rounds, frameBytes } = options
  return {
    machine,
    cores,
    options: { seconds, rounds, frameBytes },
    about: Object.fromEntries(present.map(({ name, about }) => [name, about])),
    skipped,
    outcomes,
    goals: checkGoals(outcomes),
  }
}

const readResults = async (name) =>
  JSON.parse(await readFile(new URL(`${name}.json`, RESULTS), 'utf8'))

const profiling = (directory) => ['--cpu-prof', `--cpu-prof-dir=${resolve(directory)}`]

const QUICK_PEERS = ['write-loop', 'channelstream', 'node:http']

function choosePeers(options) {
  const asked = options.peers === '' ? undefined : options.peers.split(',')
  const wanted = asked ?? (options.quick ? QUICK_PEERS : undefined)
  const added = options.url.map((text) => runningPeer(readUrl(text, options)))
  const known = PEERS.filter(({ name }) => !wanted || wanted.includes(name))
  const present = known.filter((peer) => peer.missing() === undefined)
  const skipped = known
    .filter((peer) => !present.includes(peer))
    .map((peer) => ({ name: peer.name, reason: peer.missing() }))
  return { present: [...present, ...added], skipped }
}

/** Accepts only servers on loopback, so that no other host gets the load. */
function readUrl(text, { secret, pids }) {
  const [, name = '', address = ''] = /^([\w.-]+)=(.*)$/.exec(text) ?? []
  const { hostname, port } = new URL(address)
  if (!['127.0.0.1', 'localhost'].includes(hostname)) {
    throw new Error(`--url ${text}: only servers on loopback are allowed`)
  }
  return {
    name,
    port: Number(port) || 80,
    secret,
    pids: pids === '' ? [] : pids.split(',').map(Number),
  }
}

function chooseScenarios({ only, quick }) {
  const chosen = SCENARIOS.filter(
    ({ id, quick: isQuick }) =>
      (!quick || isQuick || only.length > 0) &&
      (only.length === 0 || only.some((glob) => asPattern(glob).test(id))),
  )
  if (chosen.length === 0) throw new Error('no scenario matches; --list prints all scenarios')
  return chosen
}

/** `*` matches anything. */
const asPattern = (glob) =>
  new RegExp(
    `^${glob
      .split('*')
      .map((part) => part.replace(/\W/g, '\\$&'))
      .join('.*')}$`,
  )

/** Runs the rounds of all peers in turn: A B C A B C … */
async function play(bench, scenario, present, rounds) {
  const takesPart = ({ name }) =>
    scenario.peers.includes(name) || !PEERS.some((peer) => peer.name === name)
  const peers = present.filter(takesPart)
  const columns = Object.fromEntries(peers.map(({ name }) => [name, { rounds: [] }]))
  for (let round = 1; round <= rounds; round++) {
    for (const peer of peers) {
      const column = columns[peer.name]
      if (column.failed) continue
      log(`${scenario.id}, ${peer.name}, round ${round} of ${rounds}`)
      try {
        column.rounds.push(await measure(bench, scenario, peer))
      } catch (error) {
        column.failed = (error.stderr || error.message).trim().split('\n')[0]
        log(`failed: ${error.stderr || error.stack}`)
      }
    }
  }
  for (const column of Object.values(columns)) column.summary = summarise(column.rounds)
  return { ...scenario, peers: columns }
}

function print(results, { json }) {
  if (json) return console.log(JSON.stringify(results))
  const { machine, outcomes, goals } = results
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}\n`)
  console.log(asText(tableOf(results)))
  for (const remark of remarksOn(outcomes)) console.log(`! ${remark}`)
  console.log()
  for (const { verdict, text, found } of goals) {
    if (verdict !== 'not measured') console.log(`${verdict}  ${text}: ${found}`)
  }
}

await main().catch((error) => {
  log(`bench: ${error.message}`)
  process.exitCode = 1
})

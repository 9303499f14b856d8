/** Simulates how many servers and Redis are needed, from recorded costs. `npm run bench:simulate -- --help` */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { asText } from '../lib/report.mjs'
import { recordCosts } from './costs.mjs'
import { DEMANDS, mostOnOneRedis, plan } from './plan.mjs'
import { costTable, limitText, planTable, writePage } from './report.mjs'

const RECORDED = new URL('recorded.json', import.meta.url)

const HELP = `npm run bench:simulate -- [options]

  --record       measure the cost of each request, opening and delivery on this machine (three minutes; needs
                 redis-server and gcc), and write it to bench/simulate/recorded.json
  --write-docs   write the tables into docs/scaling.md
  --connections N, --channel-size N, --minutes-between-messages N, --session-minutes N
                 simulate your own demand instead of those in the documentation
  --json         print the results as JSON`

async function main() {
  const number = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  const { values } = parseArgs({
    options: {
      ...{ record: flag, 'write-docs': flag, json: flag, help: flag },
      ...{ connections: number, 'channel-size': number },
      ...{ 'minutes-between-messages': number, 'session-minutes': number },
    },
  })
  if (values.help) return console.log(HELP)
  if (values.record) {
    const recorded = await recordCosts((step) => process.stderr.write(`${step}\n`))
    await writeFile(RECORDED, `${JSON.stringify(recorded, null, 2)}\n`)
  }
  const recorded = JSON.parse(await readFile(RECORDED, 'utf8'))
  const plans = demandsOf(values).map((demand) => plan(demand, recorded))
  const most = mostOnOneRedis(plans[0].demand, recorded)
  if (values['write-docs']) await writePage(recorded, plans, most)
  if (values.json) return console.log(JSON.stringify(plans))
  console.log(asText(costTable(recorded), 1))
  console.log()
  console.log(asText(planTable(plans), 1))
  console.log()
  console.log(limitText(most))
}

function demandsOf(values) {
  if (values.connections === undefined) return DEMANDS
  const [usual] = DEMANDS
  const given = (name, usually) => {
    const value = Number(values[name] ?? usually)
    if (!(value > 0)) throw new Error(`--${name} must be a number above 0`)
    return value
  }
  return [
    {
      ...usual,
      connections: given('connections'),
      channelSize: given('channel-size', usual.channelSize),
      minutesBetweenMessages: given('minutes-between-messages', usual.minutesBetweenMessages),
      sessionMinutes: given('session-minutes', usual.sessionMinutes),
    },
  ]
}

await main().catch((error) => {
  process.stderr.write(`simulate: ${error.message}\n`)
  process.exitCode = 1
})

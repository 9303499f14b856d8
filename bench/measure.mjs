/** One measurement: a fresh server, one load on it, and the server is gone again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileLimit, residentKib } from './lib/processes.mjs'

/** Files of the generator and of servers that are no subscribers. */
const SPARE_FILES = 200
/** Until a server that has just started has finished with that. */
const SETTLE_MS = 500

/**
 * @typedef {object} Bench
 * @property {import('./peers/peer.mjs').Place} place
 * @property {number} seconds of one round
 * @property {number} frameBytes how long delivered frames are to be
 * @property {Map<string, number>} envelopes bytes that a peer puts around a message, by its name
 */

/**
 * The figures of one round. Rejects if the server cannot be started or refuses what is asked of it.
 *
 * @param {Bench} bench
 * @param {import('./scenarios.mjs').Scenario} scenario
 * @param {any} peer
 * @returns {Promise<Record<string, number>>}
 */
export async function measure(bench, scenario, peer) {
  if ((scenario.subscribers ?? 0) + SPARE_FILES > fileLimit()) {
    throw new Error(`${scenario.subscribers} sockets are more than 'ulimit -Hn' allows here`)
  }
  const server = await peer.start(bench.place)
  try {
    await sleep(SETTLE_MS)
    return await KINDS[scenario.kind](bench, scenario, server, peer)
  } finally {
    await server.stop()
  }
}

const KINDS = { fanout, requests, opens, memory, shared, churn }

async function fanout(bench, scenario, server, peer) {
  const { publishers, subscribers = 0, channels = 1, messages = 1, rate } = scenario
  const filler = await fillerFor(bench, server, peer)
  await server.prepare?.(subscribers, channels)
  return bench.place.load({
    ...common(server),
    subscribers,
    publishers,
    channels,
    rate,
    paths: server.paths(subscribers, channels),
    request: server.publishRequest({ filler, messages }),
    publishon: await server.publishOn?.(),
    seconds: bench.seconds,
    warmup: warmupOf(bench, rate),
  })
}

/** At a given rate longer: a server that is not warm falls behind at first, and what waits is latency of what follows. */
const warmupOf = (bench, rate = 0) => (rate > 0 ? bench.seconds : Math.min(1, bench.seconds / 2))

const common = ({ port, listenPort, pids, beside = [], secret, hello, ready }) => ({
  port,
  listenport: listenPort,
  pids: pids.join(','),
  beside: beside.join(','),
  secret,
  hello,
  ready,
})

/** So that a frame is equally long whoever sends it; a peer whose envelope alone is longer gets no filler. */
async function fillerFor({ place, frameBytes, envelopes }, server, peer) {
  if (!envelopes.has(peer.name)) {
    await server.prepare?.(1, 1)
    const { frameBytes: bare } = await place.load({
      ...common(server),
      subscribers: 1,
      publishers: 1,
      count: 1,
      idle: 0.1,
      paths: server.paths(1, 1),
      request: server.publishRequest({ filler: 0 }),
      publishon: await server.publishOn?.(),
    })
    envelopes.set(peer.name, bare)
  }
  return Math.max(0, frameBytes - envelopes.get(peer.name))
}

/** The echo gets what this server gets, byte for byte, but has no subscribers. */
async function requests(bench, scenario, server) {
  const { publishers, request, channels = 1 } = scenario
  const subscribers = server.prepare ? (scenario.subscribers ?? 0) : 0
  if (subscribers > 0) await server.prepare(subscribers, channels)
  return bench.place.load({
    ...common(server),
    subscribers,
    publishers,
    channels,
    paths: subscribers > 0 ? server.paths(subscribers, channels) : undefined,
    request: request === 'connect' ? server.connectRequest : server.publishRequest({ filler: 0 }),
    seconds: bench.seconds,
    warmup: warmupOf(bench),
  })
}

async function opens({ place }, { subscribers }, server) {
  await server.prepare?.(subscribers, 1)
  return place.load({
    ...common(server),
    subscribers,
    paths: server.paths(subscribers, 1),
    seconds: 0,
  })
}

/**
 * What a connection costs: with what was announced for it, and what that left over. Counted from when the server has
 * served a few thousand clients that went again, since code that has run, and room for young objects, are there once.
 */
async function memory({ place }, { subscribers }, server) {
  const idleKib = residentKib(server.pids)
  await warmUp(place, server)
  const warmKib = residentKib(server.pids)
  await server.prepare?.(subscribers, 1)
  const paths = server.paths(subscribers, 1)
  const open = await place.load({ ...common(server), subscribers, paths, seconds: 0, idle: 3 })
  return {
    ...open,
    idleMib: idleKib / 1024,
    warmMib: warmKib / 1024,
    kibPerConnection: (open.rssKibOpen - warmKib) / subscribers,
    kibPerSocket: (open.rssKibOpen - open.rssKibBefore) / subscribers,
  }
}

/**
 * What Redis keeps for connections of a user each, all in one channel, while they are open; and for channels, when each
 * of them is in one more.
 */
async function shared({ place }, { subscribers }, server) {
  const before = await server.redisBytes()
  await server.prepare(subscribers, 1)
  const paths = server.paths(subscribers, 1)
  const opening = place.load({ ...common(server), subscribers, paths, seconds: 0, idle: 3 })
  const samples = await sampledUntil(opening, server.redisBytes)
  const closed = await server.redisBytes()
  await server.prepare(subscribers, subscribers)
  return {
    redisBytesPerConnection: (samples.at(-3) - before) / subscribers,
    redisBytesPerChannel: ((await server.redisBytes()) - closed) / subscribers,
  }
}

const SAMPLE_MS = 200

async function sampledUntil(end, sample) {
  const samples = []
  let isOver = false
  const over = end.finally(() => (isOver = true))
  while (!isOver) {
    samples.push(await sample())
    await Promise.race([sleep(SAMPLE_MS), over])
  }
  await over
  return samples
}

const WARM_UP = { seconds: 1, subscribers: 1000 }

function warmUp(place, server) {
  const { seconds, subscribers } = WARM_UP
  if (server.churnSteps) return place.load({ ...common(server), churn: server.churnSteps, seconds })
  const paths = server.paths(subscribers, 1)
  return place.load({ ...common(server), subscribers, paths, seconds: 0 })
}

function churn({ place, seconds }, _scenario, server) {
  return place.load({ ...common(server), churn: server.churnSteps, seconds })
}

/** One measurement: starts a fresh server, puts one load on it, and stops it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileLimit, residentKib } from './lib/processes.mjs'

/** Open files of the generator and servers besides the sockets of subscribers. */
const SPARE_FILES = 200
/** Time for a new server to finish its startup work. */
const SETTLE_MS = 500

/**
 * @typedef {object} Bench
 * @property {import('./peers/peer.mjs').Place} place
 * @property {number} seconds duration of one round
 * @property {number} frameBytes length of delivered frames
 * @property {Map<string, number>} envelopes bytes that a peer adds to a message, by peer name
 */

/**
 * Resolves with the figures of one round. Rejects if the server does not start or refuses a request.
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

/** Longer at a fixed rate: a cold server falls behind at first, and its backlog would add to later latencies. */
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

/** Returns the filler that makes frames of all peers equally long. 0 if the envelope of the peer alone is longer. */
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

/** The echo gets the same bytes as this server, but has no subscribers. */
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
 * Memory per connection, including its record and what `/connect` leaves behind. The baseline is a server that has
 * already served a few thousand clients, since compiled code and the young generation of the heap are one-time costs.
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
 * Memory of Redis per open connection, with one user each and all in one channel. Then memory per channel, when each
 * connection joins a channel of its own.
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

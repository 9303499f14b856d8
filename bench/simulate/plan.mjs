/** Finds how many installations and servers a demand needs, by simulation, until no core is overloaded. */
import { ratesOf, serversHearing, simulate } from './model.mjs'

/** Above this load, queues grow, and there is no reserve for the failure of a machine. */
const MAX_LOAD = 0.6
/** Per server: more would make garbage collection pauses too long. */
const MAX_CONNECTIONS = 100_000
/** Two, so that one may fail. */
const MIN_SERVERS = 2
const MAX_TRIES = 500
const MORE_SERVERS = 1.15
/** Enough messages for a meaningful p99. */
const MESSAGES = 20_000

/** Channels of 50. Each client sends a message every 5 minutes, stays for 30 minutes, and loses its socket once. */
const USUAL = {
  channelSize: 50,
  minutesBetweenMessages: 5,
  sessionMinutes: 30,
  openingsPerSession: 2,
  /** The default of `channel_frames`. */
  keptFrames: 100,
}

/** @typedef {import('./model.mjs').Demand & { keptFrames: number }} Demand */

/** @type {readonly Demand[]} */
export const DEMANDS = [10_000, 100_000, 1_000_000, 10_000_000].map((connections) => ({
  connections,
  ...USUAL,
}))

/**
 * Adds servers and installations until the arithmetic shows no overload, then until the simulation shows none.
 *
 * @param {Demand} demand
 * @param {Record<string, any>} recorded
 */
export function plan(demand, recorded) {
  let installations = 1
  let servers = Math.max(MIN_SERVERS, Math.ceil(demand.connections / MAX_CONNECTIONS))
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const part = { ...demand, connections: demand.connections / installations }
    const each = Math.max(MIN_SERVERS, Math.ceil(servers / installations))
    const reckoned = reckon(part, each, recorded)
    const played = isTooMuch(reckoned) ? undefined : play(part, each, recorded)
    const { serverBusy, redisBusy } = played ?? reckoned
    if (serverBusy > MAX_LOAD)
      servers = Math.ceil(Math.max(each * installations * MORE_SERVERS, servers + installations))
    else if (redisBusy > MAX_LOAD) installations++
    else return described(demand, recorded, { part, installations, each, reckoned, played })
  }
  throw new Error(`no number of servers is enough for ${JSON.stringify(demand)}`)
}

/** Returns the number of connections that one Redis can handle, to two digits. */
export function mostOnOneRedis(demand, recorded) {
  const isEnough = (connections) => plan({ ...demand, connections }, recorded).installations === 1
  let [fits, step] = [0, 1e6]
  while (step >= 1e4)
    if (isEnough(fits + step)) fits += step
    else step /= 10
  const [digits, power] = [String(fits).slice(0, 2), 10 ** Math.max(0, String(fits).length - 2)]
  return Number(digits) * power
}

const isTooMuch = ({ serverBusy, redisBusy }) => serverBusy > MAX_LOAD || redisBusy > MAX_LOAD

const play = (part, each, recorded) =>
  simulate(part, each, recorded, { seconds: Math.max(1, MESSAGES / ratesOf(part).messages) })

/** Computes the load of an installation per second, without queues and randomness. */
function reckon(part, each, { costs, idle }) {
  const rates = ratesOf(part)
  const hearing = serversHearing(part.channelSize, each)
  const perSecond = (name) =>
    rates.messages * (costs.message[name] + hearing * costs.hear[name]) +
    rates.connects * (costs.connect[name] + costs.disconnect[name]) +
    rates.openings * costs.open[name]
  const serversUs =
    perSecond('server') +
    rates.messages * part.channelSize * costs.deliver.server +
    part.connections * costs.second.server
  return {
    serverBusy: (serversUs / each + idle.server) / 1e6,
    redisBusy: (perSecond('redis') + idle.redis * each) / 1e6,
    serversPerMessage: hearing,
    redisBitsIn: 8 * perSecond('toRedis'),
    redisBitsOut: 8 * perSecond('fromRedis'),
  }
}

function described(demand, { costs, bytes }, { part, installations, each, reckoned, played }) {
  const channels = part.connections / part.channelSize
  const held = part.connections / each
  const messages = ratesOf(demand).messages
  const perConnection = bytes.connectionInRedis
  const perChannel = bytes.channelInRedis + part.keptFrames * bytes.frameInRedis
  return {
    ...{ demand, installations, servers: each * installations, reckoned, played },
    messagesPerSecond: messages,
    deliveriesPerSecond: messages * demand.channelSize,
    serverBytes: bytes.serverIdle + held * bytes.openInServer,
    redisBytes: part.connections * perConnection + channels * perChannel,
    serverBitsOut: (8 * bytes.frame * messages * demand.channelSize) / each / installations,
    /** The time for all clients to reconnect at once. */
    returnSeconds: {
      redis: (part.connections * costs.open.redis) / 1e6,
      servers: (held * costs.open.server) / 1e6,
    },
  }
}

/**
 * Measures what each operation costs a server and Redis, on this machine: two servers on one Redis, as in production.
 *
 * @typedef {object} Cost of one request, opening, event or delivery
 * @property {number} server CPU of the server, µs
 * @property {number} redis CPU of Redis, µs
 * @property {number} commands sent to Redis
 * @property {number} toRedis bytes
 * @property {number} fromRedis bytes
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { buildPrograms } from '../lib/build.mjs'
import { loadGenerator } from '../lib/load.mjs'
import { chooseCores, describeMachine } from '../lib/machine.mjs'
import { cpuUs, openFiles, residentKib } from '../lib/processes.mjs'
import { CHANNEL, NUMBER, channelName, numberText, payload } from '../lib/requests.mjs'
import { SECRET, connId, signed, socketPath } from '../peers/channelstream.mjs'
import { startOnRedis } from '../peers/redis.mjs'

/** Enough requests that a tick of the kernel's CPU accounting, 10 ms, is a small part of their CPU time. */
const REQUESTS = 20_000
const WARM_UP = 10_000
const SOCKETS = 10_000
const CONNECTIONS_AT_ONCE = 16
const FILLER_BYTES = 100
const IDLE_MS = 4000
/** How long sockets stay open after the last one has opened, and how much of that time is measured. */
const HELD_S = 10
const MEASURED_S = 6
const POLL_MS = 100
const MAX_POLLS = 300
/** Time to finish work that the last request has left behind. */
const SETTLE_MS = 1000

const user = `user-${NUMBER}`
const conn_id = connId(NUMBER)
const BRIEF = { include_users: false, include_history: false }
const tenChannels = Array.from({ length: 10 }, (_, index) => channelName(80_000 + index))
const hundredChannels = Array.from({ length: 100 }, (_, index) => channelName(index))
const message = (filler = FILLER_BYTES) => ({
  user: 'bench',
  channel: CHANNEL,
  message: { text: payload(filler) },
})

/** The order matters: each kind builds on the state left by those before it. Each channel has 1/1000 of the users. */
const CHANNELS = 1000
const REQUEST_KINDS = [
  ['connect', '/connect of a new user, one channel', connect([CHANNEL])],
  ['reconnect', '/connect again, the same channel', connect([CHANNEL])],
  ['connect-10', '/connect again, ten channels', connect(tenChannels)],
  ['subscribe', '/subscribe to one channel', signed('/subscribe', subscription(80_100))],
  ['unsubscribe', '/unsubscribe from one channel', signed('/unsubscribe', subscription(80_100))],
  ['user-state', '/user_state', signed('/user_state', { user, user_state: { color: NUMBER } })],
  ['message', '/message with one message, nobody there', signed('/message', [message()])],
  [
    'message-100',
    '/message with a hundred messages',
    signed(
      '/message',
      Array.from({ length: 100 }, () => message()),
    ),
  ],
  [
    'info',
    '/info of one channel with thirty users',
    signed('/info', { info: { channels: [CHANNEL] } }),
  ],
  [
    'message-channels',
    '/message to ten channels',
    signed('/message', [{ ...message(), channel: null, channels: tenChannels }]),
  ],
  ['message-recipients', '/message with recipients', signed('/message?recipients=1', [message()])],
  [
    'info-counts',
    '/info with counts of a hundred channels',
    signed('/info', { counts: true, channels: hundredChannels }),
  ],
  ['disconnect', '/disconnect', signed('/disconnect', { conn_id })],
]

function connect(channels) {
  return signed('/connect', { username: user, conn_id, channels, info: BRIEF })
}

function subscription(channel) {
  return { conn_id, channels: [channelName(channel)], info: BRIEF }
}

/** The same request with users that the server does not know yet. */
const named = (prefix, request) => request.replaceAll('user-', prefix)
const others = (request) => named('warm-', request).replaceAll('4000-8000', '4000-9000')

/**
 * Takes about three minutes. Calls `report` with each step.
 *
 * @param {(step: string) => void} report
 */
export async function recordCosts(report) {
  const { server, load: loadCore, besides } = chooseCores()
  const programs = await buildPrograms()
  const load = loadGenerator(programs.load, loadCore)
  const machine = await describeMachine()
  const place = { core: server, besides, programs, load }
  report('memory of servers')
  const memory = await withServers(place, (fresh) => fresh.memoryOfSockets())
  return withServers(place, async (recorder) => {
    const idle = await recorder.idle()
    const costs = {}
    for (const [id, title, request] of REQUEST_KINDS) {
      report(title)
      costs[id] = { title, ...(await recorder.request(request)) }
    }
    report('WebSockets and deliveries')
    const { bytes, ...sockets } = await recorder.sockets()
    const { frame, ...deliveries } = await recorder.deliveries()
    const all = { ...costs, ...sockets, ...deliveries }
    return { machine, idle, costs: all, bytes: { ...bytes, ...memory, frame } }
  })
}

async function withServers(place, work) {
  const started = await startOnRedis(place, 2)
  try {
    return await work(new Recorder(started, place.load))
  } finally {
    await started.stop()
  }
}

class Recorder {
  #servers
  #redis
  #load
  #ports
  #pids
  #perSecond = nothing()

  constructor({ servers, redis }, load) {
    this.#servers = servers
    this.#redis = redis
    this.#load = load
    this.#ports = servers.map(({ port }) => port).join(',')
    this.#pids = servers.map(({ pid }) => pid)
  }

  /** The cost of an idle server and Redis per second. It is subtracted from all other costs. */
  async idle() {
    await sleep(SETTLE_MS)
    this.#perSecond = scaled(await this.#used(() => sleep(IDLE_MS)), 1000 / IDLE_MS)
    return scaled(this.#perSecond, 1 / this.#servers.length)
  }

  async request(request) {
    await this.#send(others(request), WARM_UP)
    return this.#each(REQUESTS, () => this.#send(request, REQUESTS))
  }

  /** Memory of a server that has served some clients, and memory per connection. */
  async memoryOfSockets() {
    await this.#send(others(connect([CHANNEL])), WARM_UP)
    await sleep(SETTLE_MS)
    const { servers } = await this.#memory()
    await this.#send(connect([CHANNEL]), SOCKETS)
    const [during, listening] = await this.#held()
    await listening
    return {
      serverIdle: servers / this.#servers.length,
      openInServer: (during.servers - servers) / SOCKETS,
    }
  }

  /** The cost of opening and closing a socket, and of keeping it open. Each connection has its own user and channel. */
  async sockets() {
    const fresh = await this.#memory()
    await this.#send(named('sock-', connect([CHANNEL])), SOCKETS)
    await this.#listen(SOCKETS)
    const [during, listening] = await this.#held()
    const second = await this.#each(SOCKETS * MEASURED_S, () => sleep(MEASURED_S * 1000))
    await listening
    await sleep(SETTLE_MS)
    const open = await this.#each(SOCKETS, async () => {
      await this.#listen(SOCKETS)
      await sleep(SETTLE_MS)
    })
    return {
      open: { title: 'a WebSocket opened and closed', ...open },
      second: { title: 'an open WebSocket, each second', ...second },
      bytes: {
        connectionInRedis: (during.redis - fresh.redis) / SOCKETS,
        channelInRedis: await this.#channelBytes(),
        frameInRedis: await this.#frameBytes(),
      },
    }
  }

  /** Publishes on one server while the other has no subscriber, one, or ten sockets per channel. */
  async deliveries() {
    const unheard = await this.#heardBy(0)
    const few = await this.#heardBy(CHANNELS)
    const many = await this.#heardBy(SOCKETS)
    const server = (many.server - few.server) / (SOCKETS / CHANNELS - 1)
    const delivery = { ...nothing(), server }
    return {
      hear: {
        title: 'an event heard at one more server',
        ...less(less(few, unheard), delivery),
      },
      deliver: { title: 'a delivery to one more socket there', ...delivery },
      frame: many.frameBytes,
    }
  }

  /** CPU during publishing, and traffic with Redis, less the traffic of opening the sockets. */
  async #heardBy(sockets) {
    const [publisher, listener] = this.#servers
    const open = () => this.#listen(sockets, { listenport: listener.port })
    await open() // the catch-up of missed events would otherwise count as a cost of opening
    const opening = await this.#each(REQUESTS, open)
    let measured = {}
    const both = await this.#each(REQUESTS, async () => {
      measured = await this.#listen(sockets, {
        ...{ port: publisher.port, listenport: listener.port, channels: CHANNELS },
        ...{ request: signed('/message', [message()]), publishers: CONNECTIONS_AT_ONCE },
        ...{ count: REQUESTS, pids: this.#pids.join(','), beside: String(this.#redis.pid) },
      })
    })
    return {
      ...less(both, opening),
      server: measured.cpuUsPerRequest,
      redis: measured.besideCpuUsPerRequest,
      frameBytes: measured.frameBytes,
    }
  }

  /** Memory per channel: each connection joins its own channel. The first ones are already in theirs. */
  async #channelBytes() {
    const before = await this.#memory()
    await this.#send(named('sock-', connect([CHANNEL])), SOCKETS, SOCKETS)
    return ((await this.#memory()).redis - before.redis) / (SOCKETS - CHANNELS)
  }

  /** Memory per event that is kept for reconnecting clients. */
  async #frameBytes() {
    const before = await this.#memory()
    await this.#send(signed('/message', [message()]), SOCKETS, SOCKETS)
    return ((await this.#memory()).redis - before.redis) / SOCKETS
  }

  /** Resolves with the memory while all sockets are open, and a promise that resolves when they are closed. */
  async #held() {
    await sleep(SETTLE_MS)
    const before = openFiles(this.#pids)
    const listening = this.#listen(SOCKETS, { idle: HELD_S })
    for (let polls = 0; openFiles(this.#pids) < before + SOCKETS; polls++) {
      if (polls > MAX_POLLS) throw new Error(`not all of ${SOCKETS} sockets opened`)
      await sleep(POLL_MS)
    }
    await sleep(SETTLE_MS)
    return [await this.#memory(), listening]
  }

  #send(request, count, channels = CHANNELS) {
    const options = { publishers: CONNECTIONS_AT_ONCE, request, count, channels }
    return this.#load({ port: this.#ports, secret: SECRET, ...options })
  }

  #listen(count, options = {}) {
    const paths = Array.from({ length: count }, (_, index) => socketPath(numberText(index)))
    const given = { port: this.#ports, secret: SECRET, subscribers: count, paths, seconds: 0 }
    return this.#load({ ...given, ...options })
  }

  /** Resolves with the cost of `work` divided by `count`. */
  async #each(count, work) {
    const start = performance.now()
    const used = await this.#used(work)
    const seconds = (performance.now() - start) / 1000
    return scaled(less(used, scaled(this.#perSecond, seconds)), 1 / count)
  }

  async #used(work) {
    const before = await this.#reading()
    await work()
    return less(await this.#reading(), before)
  }

  async #reading() {
    const redis = this.#redis
    const commands = await Promise.all(SENT.map((name) => redis.calls(name)))
    return {
      server: cpuUs(this.#pids),
      redis: await redis.cpuUs(),
      commands: commands.reduce((sum, count) => sum + count, 0),
      toRedis: await redis.figure('stats', 'total_net_input_bytes'),
      fromRedis: await redis.figure('stats', 'total_net_output_bytes'),
    }
  }

  async #memory() {
    const redis = await this.#redis.figure('memory', 'used_memory')
    return { servers: residentKib(this.#pids) * 1024, redis }
  }
}

/** The commands that servers send. Redis also counts the calls inside scripts, but these are no round trips. */
const SENT = ['evalsha', 'ping', 'ssubscribe', 'sunsubscribe']

const nothing = () => ({ server: 0, redis: 0, commands: 0, toRedis: 0, fromRedis: 0 })
const scaled = (cost, factor) =>
  Object.fromEntries(Object.entries(cost).map(([name, value]) => [name, value * factor]))
const less = (cost, other) =>
  Object.fromEntries(Object.keys(nothing()).map((name) => [name, cost[name] - other[name]]))

/**
 * Simulates an installation over time. Requests arrive at random, and queue for a server core, for Redis, and for the
 * cores of the servers with subscribers. Each step takes its recorded cost (costs.mjs). The results are the latency of
 * messages and the load of servers and Redis.
 *
 * @typedef {object} Demand the load on one installation, which is one Redis and its servers
 * @property {number} connections
 * @property {number} channelSize connections in a channel; each connection is in one
 * @property {number} minutesBetweenMessages of one connection
 * @property {number} sessionMinutes from a connect to the disconnect
 * @property {number} openingsPerSession 2: each client loses its WebSocket once
 */

/** The network round trip within one data center. The recorded costs do not include it. */
const ROUND_TRIP_US = 200

/**
 * A priority queue of events by time, as a binary heap.
 *
 * @template Event
 */
class Agenda {
  /** @type {{ at: number, event: Event }[]} */
  #heap = []

  get isEmpty() {
    return this.#heap.length === 0
  }

  add(at, event) {
    const heap = this.#heap
    let index = heap.length
    const entry = { at, event }
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent].at <= at) break
      heap[index] = heap[parent]
      index = parent
    }
    heap[index] = entry
  }

  next() {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length > 0) this.#sink(last)
    return first
  }

  #sink(entry) {
    const heap = this.#heap
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1].at < heap[child].at) child++
      if (heap[child].at >= entry.at) break
      heap[index] = heap[child]
      index = child
    }
    heap[index] = entry
  }
}

/** One core that works first come, first served. `background`: the share that is always in use. */
class Core {
  busyUs = 0
  #freeAt = 0

  constructor(background = 0) {
    this.background = background
    this.speed = 1 - background
  }

  /** Returns when work is done that arrives at `now` and takes `workUs` on an idle core. */
  doneAt(now, workUs) {
    const us = workUs / this.speed
    this.#freeAt = Math.max(now, this.#freeAt) + us
    this.busyUs += workUs
    return this.#freeAt
  }

  shareOf(us) {
    return this.background + this.busyUs / us
  }
}

/**
 * Simulates `seconds` of an installation. The same seed gives the same figures.
 *
 * @param {Demand} demand
 * @param {number} serverCount
 * @param {{ costs: Record<string, import('./costs.mjs').Cost>, idle: import('./costs.mjs').Cost }} recorded
 * @param {{ seconds: number, seed?: number }} options
 */
export function simulate(demand, serverCount, { costs, idle }, { seconds, seed = 1 }) {
  const random = generator(seed)
  const held = demand.connections / serverCount
  const background = (idle.server + held * costs.second.server) / 1e6
  if (background >= 1) return overloaded()
  const servers = Array.from({ length: serverCount }, () => new Core(background))
  const redis = new Core((idle.redis * serverCount) / 1e6)
  const end = seconds * 1e6
  const someServer = () => servers[Math.floor(random() * serverCount)]
  const latencies = []
  let hearings = 0

  /** @type {Agenda<() => void>} */
  const agenda = new Agenda()
  let now = 0

  const request = (cost, listening, onDone = () => {}) => {
    const server = someServer()
    const atRedis = server.doneAt(now, cost.server) + ROUND_TRIP_US / 2
    agenda.add(atRedis, () => {
      const done = redis.doneAt(now, cost.redis + listening * costs.hear.redis)
      agenda.add(done + ROUND_TRIP_US / 2, onDone)
    })
  }

  const publish = (start) => {
    const places = spread(demand.channelSize, serverCount, random)
    hearings += places.size
    request(costs.message, places.size, () => {
      for (const [place, sockets] of places) {
        const work = costs.hear.server + sockets * costs.deliver.server
        latencies.push(servers[place].doneAt(now, work) - start)
      }
    })
  }

  const perSecond = ratesOf(demand)
  const arrivals = [
    [perSecond.messages, () => publish(now)],
    [perSecond.connects, () => request(costs.connect, 0)],
    [perSecond.openings, () => request(costs.open, 0)],
    [perSecond.connects, () => request(costs.disconnect, 0)],
  ]
  for (const [rate, happen] of arrivals) {
    const again = () => {
      happen()
      schedule()
    }
    const schedule = () => {
      const at = now + (-Math.log(1 - random()) / rate) * 1e6
      if (at < end) agenda.add(at, again)
    }
    schedule()
  }
  while (!agenda.isEmpty) {
    const { at, event } = agenda.next()
    now = at
    event()
  }
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0) / 1000
  return {
    serverBusy: Math.max(...servers.map((server) => server.shareOf(Math.max(now, end)))),
    redisBusy: redis.shareOf(Math.max(now, end)),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    serversPerMessage: hearings / (perSecond.messages * seconds),
  }
}

const overloaded = () => ({
  ...{ serverBusy: Infinity, redisBusy: 0, p50Ms: Infinity, p99Ms: Infinity },
  serversPerMessage: 0,
})

/** @param {Demand} demand */
export function ratesOf(demand) {
  const connects = demand.connections / (demand.sessionMinutes * 60)
  return {
    messages: demand.connections / (demand.minutesBetweenMessages * 60),
    connects,
    openings: connects * demand.openingsPerSession,
  }
}

/** Spreads `count` connections at random. Returns the number of connections by server. */
function spread(count, serverCount, random) {
  const places = new Map()
  for (let index = 0; index < count; index++) {
    const place = Math.floor(random() * serverCount)
    places.set(place, (places.get(place) ?? 0) + 1)
  }
  return places
}

/** The expected number of servers with at least one of `size` connections that are spread over `count` servers. */
export const serversHearing = (size, count) => count * (1 - (1 - 1 / count) ** size)

/** A random number generator from 0 to 1 (mulberry32). The same seed gives the same sequence. */
function generator(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * The scenarios, and the figures shown for each. Each `kind` is a function in measure.mjs.
 *
 * @typedef {object} Scenario
 * @property {string} id matched by `--only`
 * @property {string} title
 * @property {'fanout' | 'requests' | 'opens' | 'memory' | 'shared' | 'churn'} kind
 * @property {readonly string[]} peers by name; servers given by --url take part in every scenario
 * @property {readonly string[]} shows figures, see FIGURES
 * @property {number} [publishers]
 * @property {number} [subscribers]
 * @property {number} [channels]
 * @property {number} [messages] in one request
 * @property {number} [rate] requests per second; without it, each publisher sends when it has the last reply
 * @property {'publish' | 'connect'} [request]
 * @property {boolean} [quick] part of `--quick`
 */

/** @type {Record<string, { label: string, digits: number }>} */
export const FIGURES = {
  deliveriesPerSecond: { label: 'deliveries/s', digits: 0 },
  cpuUsPerDelivery: { label: 'server CPU µs/delivery', digits: 2 },
  requestsPerSecond: { label: 'requests/s', digits: 0 },
  messagesPerSecond: { label: 'messages/s', digits: 0 },
  cpuUsPerRequest: { label: 'server CPU µs/request', digits: 1 },
  besideCpuUsPerDelivery: { label: 'Redis CPU µs/delivery', digits: 3 },
  besideCpuUsPerRequest: { label: 'Redis CPU µs/request', digits: 1 },
  p50Ms: { label: 'latency p50, ms', digits: 2 },
  p99Ms: { label: 'latency p99, ms', digits: 2 },
  maxMs: { label: 'latency max, ms', digits: 1 },
  opensPerSecond: { label: 'WebSockets opened/s', digits: 0 },
  cpuUsPerOpen: { label: 'server CPU µs/opening', digits: 0 },
  roundsPerSecond: { label: 'rounds/s', digits: 0 },
  cpuUsPerRound: { label: 'server CPU µs/round', digits: 0 },
  kibPerConnection: { label: 'KiB per connection', digits: 1 },
  kibPerSocket: { label: 'of these, KiB for the open socket', digits: 1 },
  redisBytesPerConnection: { label: 'bytes in Redis per open connection', digits: 0 },
  redisBytesPerChannel: { label: 'bytes in Redis per channel', digits: 0 },
  idleMib: { label: 'MiB after the start', digits: 0 },
  warmMib: { label: 'MiB after some clients', digits: 0 },
  loadCpuPercent: { label: 'load generator CPU %', digits: 0 },
  serverCpuPercent: { label: 'server CPU %', digits: 0 },
}

const SERVERS = ['write-loop', 'channelstream', 'nchan', 'ws', 'socket.io']
const RATES = ['deliveriesPerSecond', 'cpuUsPerDelivery', 'p50Ms', 'p99Ms', 'maxMs']
const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`

/** @returns {Scenario} */
const fanout = (publishers, subscribers) => ({
  id: `fanout-${publishers}x${subscribers}`,
  title: `${count(publishers, 'publisher')}, ${count(subscribers, 'subscriber')}`,
  kind: 'fanout',
  publishers,
  subscribers,
  peers: SERVERS,
  shows: subscribers === 1 ? ['messagesPerSecond', ...RATES] : RATES,
  quick: publishers === 1 && subscribers === 100,
})

/** Deliveries per second, low enough that servers are idle between messages and have nothing to batch. */
const COST_RATE = 30_000
const atCostRate = (subscribers) => ({
  ...fanout(1, subscribers),
  rate: COST_RATE / subscribers,
})

/** @returns {Scenario} */
const cost = (subscribers) => ({
  ...atCostRate(subscribers),
  id: `cost-${subscribers}`,
  title: `cost of a delivery: ${subscribers.toLocaleString('en')} subscribers, ${COST_RATE.toLocaleString('en')} deliveries/s`,
  peers: ['write-loop', 'channelstream'],
  shows: ['cpuUsPerDelivery', 'p99Ms'],
})

/** @returns {Scenario} */
const batch = (messages) => ({
  id: `batch-${messages}`,
  title: `32 publishers, ${count(messages, 'message')} a request, 1 subscriber`,
  kind: 'fanout',
  publishers: 32,
  subscribers: 1,
  messages,
  peers: ['channelstream'],
  shows: ['messagesPerSecond', 'requestsPerSecond', 'cpuUsPerRequest', 'p99Ms'],
  quick: messages === 100,
})

/**
 * The load that Philote's own server was measured with.
 *
 * @returns {Scenario}
 */
const philote = (publishers) => ({
  ...fanout(publishers, 200),
  id: `philote-${publishers}x200`,
  title: `${count(publishers, 'publisher')} to 200 Philote readers, on sockets, and the same by REST`,
  peers: ['write-loop', 'channelstream', 'philote'],
})

/** @type {readonly Scenario[]} */
export const SCENARIOS = [
  {
    id: 'generator',
    title: 'capacity of the load generator: 32 publishers, 1,000 subscribers',
    kind: 'fanout',
    publishers: 32,
    subscribers: 1000,
    peers: ['write-gather', 'channelstream'],
    shows: ['deliveriesPerSecond', 'loadCpuPercent', 'serverCpuPercent'],
  },
  ...[1, 100, 1000, 10_000].flatMap((subscribers) =>
    [1, 8, 32].map((publishers) => fanout(publishers, subscribers)),
  ),
  philote(1),
  philote(8),
  {
    id: 'latency',
    title: '50 messages/s to 1,000 subscribers',
    kind: 'fanout',
    publishers: 1,
    subscribers: 1000,
    rate: 50,
    peers: SERVERS,
    shows: ['p50Ms', 'p99Ms', 'maxMs', 'serverCpuPercent'],
  },
  {
    id: 'channels',
    title: '10,000 channels with 1 subscriber each, 32 publishers',
    kind: 'fanout',
    publishers: 32,
    subscribers: 10_000,
    channels: 10_000,
    peers: SERVERS,
    shows: RATES,
  },
  {
    id: 'publish',
    title: 'signed publishes, 32 keep-alive connections, 1 subscriber',
    kind: 'requests',
    request: 'publish',
    publishers: 32,
    subscribers: 1,
    peers: ['channelstream', 'node:http', 'node:http+JSON', 'Fastify'],
    shows: ['requestsPerSecond', 'cpuUsPerRequest'],
    quick: true,
  },
  batch(1),
  batch(100),
  {
    id: 'connect',
    title: 'signed /connect of new users into 10,000 channels, 32 keep-alive connections',
    kind: 'requests',
    request: 'connect',
    publishers: 32,
    channels: 10_000,
    peers: ['channelstream', 'node:http'],
    shows: ['requestsPerSecond', 'cpuUsPerRequest'],
  },
  {
    id: 'opens',
    title: '5,000 WebSockets opened, 64 at once',
    kind: 'opens',
    subscribers: 5000,
    peers: SERVERS,
    shows: ['opensPerSecond', 'cpuUsPerOpen'],
  },
  {
    id: 'churn',
    title: '16 clients that come and go: connect, open, subscribe, leave',
    kind: 'churn',
    peers: SERVERS,
    shows: ['roundsPerSecond', 'cpuUsPerRound', 'p50Ms', 'p99Ms'],
    quick: true,
  },
  {
    id: 'memory',
    title: '10,000 idle connections',
    kind: 'memory',
    subscribers: 10_000,
    peers: ['channelstream', 'nchan', 'ws', 'socket.io'],
    shows: ['kibPerConnection', 'kibPerSocket', 'idleMib', 'warmMib'],
  },
  ...[1, 32].map((publishers) => ({
    ...fanout(publishers, 1000),
    id: `sse-${publishers}x1000`,
    title: `by Server-Sent Events: ${count(publishers, 'publisher')}, 1,000 subscribers`,
    peers: ['channelstream', 'channelstream-sse', 'nchan', 'nchan-sse'],
    quick: false,
  })),
  {
    id: 'sse-memory',
    title: 'by Server-Sent Events: 10,000 idle connections',
    kind: 'memory',
    subscribers: 10_000,
    peers: ['channelstream', 'channelstream-sse', 'nchan', 'nchan-sse'],
    shows: ['kibPerConnection', 'kibPerSocket'],
  },
  ...[1000, 5000, 15_000].map(cost),
  {
    ...fanout(1, 160),
    id: 'webhooks',
    title: 'webhooks: 5,000 messages/s to 160 subscribers, with and without a webhook',
    messages: 100,
    rate: 50,
    peers: ['channelstream', 'channelstream-webhooks'],
    shows: ['cpuUsPerDelivery', 'deliveriesPerSecond', 'p99Ms', 'serverCpuPercent'],
    quick: false,
  },
  {
    ...fanout(32, 1),
    id: 'disk-publish',
    title: 'with a data_dir: 32 publishers, 1 subscriber',
    peers: ['channelstream', 'channelstream-disk'],
    shows: ['messagesPerSecond', 'cpuUsPerRequest', 'p50Ms', 'p99Ms'],
  },
  {
    id: 'disk-connect',
    title: 'with a data_dir: signed /connect of new users into 10,000 channels, 32 connections',
    kind: 'requests',
    request: 'connect',
    publishers: 32,
    channels: 10_000,
    peers: ['channelstream', 'channelstream-disk'],
    shows: ['requestsPerSecond', 'cpuUsPerRequest'],
  },
  {
    ...atCostRate(1000),
    id: 'disk-fanout',
    title: `with a data_dir: 1,000 subscribers, ${COST_RATE.toLocaleString('en')} deliveries/s`,
    peers: ['channelstream', 'channelstream-disk'],
    shows: ['cpuUsPerDelivery', 'p50Ms', 'p99Ms'],
  },
  {
    id: 'disk-memory',
    title: 'with a data_dir: 10,000 idle connections',
    kind: 'memory',
    subscribers: 10_000,
    peers: ['channelstream', 'channelstream-disk'],
    shows: ['kibPerConnection', 'kibPerSocket'],
  },
  {
    ...fanout(32, 1),
    id: 'redis-publish',
    title: 'on a Redis: 32 publishers, 1 subscriber',
    peers: ['channelstream', 'redis', 'redis-across'],
    shows: ['messagesPerSecond', 'cpuUsPerRequest', 'besideCpuUsPerRequest', 'p50Ms', 'p99Ms'],
  },
  {
    ...fanout(32, 1),
    id: 'redis-latency',
    title: 'on a Redis: 5,000 messages/s, 1 subscriber',
    rate: 5000,
    peers: ['channelstream', 'redis', 'redis-across'],
    shows: ['p50Ms', 'p99Ms', 'maxMs', 'messagesPerSecond'],
  },
  {
    ...atCostRate(1000),
    id: 'redis-fanout',
    title: `on a Redis: 1,000 subscribers, ${COST_RATE.toLocaleString('en')} deliveries/s`,
    peers: ['channelstream', 'redis', 'redis-two'],
    shows: ['cpuUsPerDelivery', 'besideCpuUsPerDelivery', 'p99Ms'],
  },
  {
    id: 'redis-memory',
    title: 'on a Redis: 10,000 idle connections, then each also in its own channel',
    kind: 'shared',
    subscribers: 10_000,
    peers: ['redis'],
    shows: ['redisBytesPerConnection', 'redisBytesPerChannel'],
  },
]

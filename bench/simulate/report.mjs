/** Tables of recorded costs and simulated plans, for the terminal and for docs/scaling.md. */
import { readFile, writeFile } from 'node:fs/promises'
import { asMarkdown } from '../lib/report.mjs'

const PAGE = new URL('../../docs/scaling.md', import.meta.url)

const whole = (value) => Math.max(0, Math.round(value)).toLocaleString('en')
/** Measured differences may be slightly below zero. */
const digits = (value, count = 1) => Math.max(0, value).toFixed(count)
const percent = (share) => `${Math.round(share * 100)} %`
const gib = (bytes) =>
  bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${digits(bytes / 2 ** 30)} GiB`
const mbits = (bits) => `${bits < 1e7 ? digits(bits / 1e6) : whole(bits / 1e6)} Mbit/s`

export const costTable = ({ costs }) => [
  ['What', 'server CPU µs', 'Redis CPU µs', 'round trips', 'bytes to Redis', 'bytes back'],
  ...Object.values(costs).map((cost) => [
    cost.title,
    ...[digits(cost.server), digits(cost.redis), shownCount(cost.commands)],
    ...[whole(cost.toRedis), whole(cost.fromRedis)],
  ]),
]

const shownCount = (count) => digits(count, count < 0.95 ? 1 : 0)

export const planTable = (plans) => {
  const rows = {
    'messages/s': (plan) => whole(plan.messagesPerSecond),
    'deliveries/s': (plan) => whole(plan.deliveriesPerSecond),
    'installations, a Redis each': (plan) => whole(plan.installations),
    'servers, a core each': (plan) => whole(plan.servers),
    'busiest server': (plan) => percent(plan.played.serverBusy),
    Redis: (plan) => percent(plan.played.redisBusy),
    '… by arithmetic': (plan) => percent(plan.reckoned.redisBusy),
    'servers that hear a message': (plan) => digits(plan.played.serversPerMessage),
    '… by arithmetic ': (plan) => digits(plan.reckoned.serversPerMessage),
    'message to socket, median': (plan) => `${digits(plan.played.p50Ms)} ms`,
    'message to socket, p99': (plan) => `${digits(plan.played.p99Ms)} ms`,
    'memory of a server': (plan) => gib(plan.serverBytes),
    'memory of a Redis': (plan) => gib(plan.redisBytes),
    'out of a server': (plan) => mbits(plan.serverBitsOut),
    'into a Redis': (plan) => mbits(plan.reckoned.redisBitsIn),
    'out of a Redis': (plan) => mbits(plan.reckoned.redisBitsOut),
    'all come back at once: Redis is busy for': (plan) => `${whole(plan.returnSeconds.redis)} s`,
    '… and each server for': (plan) => `${whole(plan.returnSeconds.servers)} s`,
  }
  return [
    ['Connections', ...plans.map(({ demand }) => whole(demand.connections))],
    ...Object.entries(rows).map(([title, show]) => [title.trim(), ...plans.map(show)]),
  ]
}

export const limitText = (connections) =>
  `One Redis is enough for about ${whole(connections)} such connections.`

export const bytesText = ({ bytes }) =>
  `An open WebSocket with its user takes ${whole(bytes.connectionInRedis)} bytes in Redis, a channel with one ` +
  `member ${whole(bytes.channelInRedis)}, and each event that it keeps for clients that reconnect (\`channel_frames\`) ` +
  `${whole(bytes.frameInRedis)}. On the wire an event has ${whole(bytes.frame)} bytes here.`

/** Replaces the parts between the markers of the page. */
export async function writePage(recorded, plans, most) {
  const parts = {
    costs: asMarkdown(costTable(recorded), 1),
    bytes: bytesText(recorded),
    plans: asMarkdown(planTable(plans), 1),
    limit: limitText(most),
  }
  let page = await readFile(PAGE, 'utf8')
  for (const [name, table] of Object.entries(parts)) {
    const mark = new RegExp(`(<!-- ${name}: .*? -->\\n).*?(<!-- /${name} -->)`, 's')
    if (!mark.test(page)) throw new Error(`docs/scaling.md has no markers for ${name}`)
    page = page.replace(mark, `$1\n<!-- prettier-ignore -->\n${table}\n\n$2`)
  }
  await writeFile(PAGE, page)
}

/** The performance goals of the delivery path. Most are ratios within one run, on one machine. */

/**
 * @typedef {object} Goal
 * @property {string} text
 * @property {string} found
 * @property {'pass' | 'miss' | 'not measured'} verdict
 */

/**
 * @param {readonly import('./run.mjs').Outcome[]} outcomes
 * @returns {Goal[]}
 */
export function checkGoals(outcomes) {
  const figure = (id, peer, name) => {
    const rounds = outcomes.find((outcome) => outcome.id === id)?.peers[peer]
    return rounds?.summary[name]?.median ?? Number.NaN
  }
  const own = (id, name) => figure(id, 'channelstream', name)
  const ratio = (id, peer, name) => own(id, name) / figure(id, peer, name)
  const costGrowth = (to) =>
    own(`cost-${to}`, 'cpuUsPerDelivery') /
    own('cost-1000', 'cpuUsPerDelivery') /
    (figure(`cost-${to}`, 'write-loop', 'cpuUsPerDelivery') /
      figure('cost-1000', 'write-loop', 'cpuUsPerDelivery'))
  const coresFor = (id, peer) =>
    (figure(id, peer, 'cpuUsPerDelivery') * figure(id, peer, 'deliveriesPerSecond')) / 1e6

  return [
    atLeast(
      '1 publisher, 1,000 subscribers: ≥ 0.95 of the deliveries/s of the C write() loop',
      ratio('fanout-1x1000', 'write-loop', 'deliveriesPerSecond'),
      0.95,
    ),
    atLeast(
      '32 publishers, 1,000 subscribers: ≥ 8 times the deliveries/s of nchan',
      ratio('fanout-32x1000', 'nchan', 'deliveriesPerSecond'),
      8,
    ),
    atMost(
      'p99 latency at 50 messages/s to 1,000 subscribers: at most that of nchan',
      ratio('latency', 'nchan', 'p99Ms'),
      1,
    ),
    atLeast(
      'signed publishes/s at 32 connections: ≥ 0.85 of the bare node:http echo',
      ratio('publish', 'node:http', 'requestsPerSecond'),
      0.85,
    ),
    atLeast(
      'batch posts of 100: ≥ 200,000 messages/s',
      own('batch-100', 'messagesPerSecond'),
      200_000,
    ),
    atMost(
      '≤ 8 KiB per idle connection at 10,000 connections, including the user and the connection record',
      own('memory', 'kibPerConnection'),
      8,
    ),
    atMost('≤ 100 MiB for the idle server', own('memory', 'idleMib'), 100),
    atLeast('≥ 5,000 signed /connect per second', own('connect', 'requestsPerSecond'), 5000),
    ...[5000, 15_000].map((subscribers) =>
      atMost(
        `CPU per delivery at ${subscribers.toLocaleString('en')} subscribers: ≤ 1.25 times that at 1,000, relative to the growth of the C loop`,
        costGrowth(subscribers),
        1.25,
      ),
    ),
    atLeast(
      'published on one server, delivered by another: ≥ 12,000 messages/s',
      figure('redis-publish', 'redis-across', 'messagesPerSecond'),
      12_000,
    ),
    atMost(
      'server CPU per publish with Redis: ≤ 2 times that in memory',
      figure('redis-publish', 'redis', 'cpuUsPerRequest') / own('redis-publish', 'cpuUsPerRequest'),
      2,
    ),
    atMost(
      'p99 latency from server to server at 5,000 messages/s: ≤ 5 ms above that of one server in memory',
      figure('redis-latency', 'redis-across', 'p99Ms') - own('redis-latency', 'p99Ms'),
      5,
    ),
    atLeast(
      'two servers on one Redis, one core each: ≥ 1.7 times the deliveries of one server, by CPU per delivery',
      (2 * figure('redis-fanout', 'redis', 'cpuUsPerDelivery')) /
        figure('redis-fanout', 'redis-two', 'cpuUsPerDelivery'),
      1.7,
    ),
    atMost(
      '5,000 webhook events/s: ≤ 0.15 of a core (what a server at its limit loses of its deliveries)',
      coresFor('webhooks', 'channelstream-webhooks') - coresFor('webhooks', 'channelstream'),
      0.15,
    ),
    atLeast(
      'publishes with a data_dir: ≥ 0.8 of those in memory',
      figure('disk-publish', 'channelstream-disk', 'messagesPerSecond') /
        own('disk-publish', 'messagesPerSecond'),
      0.8,
    ),
    atLeast(
      '/connect with a data_dir: ≥ 0.8 of those in memory',
      figure('disk-connect', 'channelstream-disk', 'requestsPerSecond') /
        own('disk-connect', 'requestsPerSecond'),
      0.8,
    ),
    atMost(
      'p99 latency of deliveries with a data_dir: ≤ 2 ms above that in memory',
      figure('disk-fanout', 'channelstream-disk', 'p99Ms') - own('disk-fanout', 'p99Ms'),
      2,
    ),
    atMost(
      'memory per connection with a data_dir: ≤ 1 KiB above that without',
      figure('disk-memory', 'channelstream-disk', 'kibPerConnection') -
        own('disk-memory', 'kibPerConnection'),
      1,
    ),
    atMost(
      '≤ 1,024 bytes in Redis per open connection, including its user',
      figure('redis-memory', 'redis', 'redisBytesPerConnection'),
      1024,
    ),
    atMost(
      '≤ 1,024 bytes in Redis per channel, without its history',
      figure('redis-memory', 'redis', 'redisBytesPerChannel'),
      1024,
    ),
    exactlyOnce(outcomes),
  ]
}

/** The peers whose deliveries count for the goal. */
const OWN = /^(channelstream|redis)/

const shown = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))

const goal = (text, value, isMet) => ({
  text,
  found: Number.isNaN(value) ? '' : shown(value),
  verdict: Number.isNaN(value) ? 'not measured' : isMet ? 'pass' : 'miss',
})
const atLeast = (text, value, limit) => goal(text, value, value >= limit)
const atMost = (text, value, limit) => goal(text, value, value <= limit)

/** Describes the delivery errors of a round; undefined if there are none. */
export function faultsOf(round) {
  const kinds = ['lost', 'doubled', 'reordered', 'strayed', 'closed', 'errors']
  const faults = kinds.filter((kind) => round[kind] > 0).map((kind) => `${round[kind]} ${kind}`)
  return faults.length > 0 ? faults.join(', ') : undefined
}

function exactlyOnce(outcomes) {
  const rounds = outcomes.flatMap(({ peers }) =>
    Object.entries(peers).flatMap(([name, { rounds }]) => (OWN.test(name) ? rounds : [])),
  )
  const faults = rounds.map(faultsOf).filter(Boolean)
  const deliveries = rounds.reduce((sum, round) => sum + (round.delivered ?? 0), 0)
  return {
    text: 'nothing lost, doubled or reordered in any run',
    found: faults.length > 0 ? faults.join('; ') : `${shown(deliveries)} deliveries`,
    verdict: rounds.length === 0 ? 'not measured' : faults.length > 0 ? 'miss' : 'pass',
  }
}

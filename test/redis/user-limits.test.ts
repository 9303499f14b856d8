/** Limits on users whose connections and posts are spread over several servers. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { RateExceeded, TooManyChannels } from '../../src/store/user-limits.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import {
  channelName,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
  userName,
} from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Servers } from '../helpers/servers.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(endAll)

async function startServers(settings: ConfigInput): Promise<readonly Backend[]> {
  const servers = await Servers.start(redis, 3, settings)
  onTestFinished(() => servers.close())
  return servers.all.map((server) => new Backend(server))
}

/** Sends this many requests at once, in turn to each server. Returns how many got each status. */
async function sendAll(
  backends: readonly Backend[],
  count: number,
  line: string,
  json: (index: number) => unknown,
): Promise<Record<number, number>> {
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const backend = backends[index % backends.length]
      return (await backend?.send(line, { json: json(index) }))?.status ?? 0
    }),
  )
  const counts: Record<number, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

describe('limits on a user of several servers', { timeout: 60_000 }, () => {
  it('let one of many requests at once have the last connection', async () => {
    const backends = await startServers({ max_connections_per_user: 7 })
    for (let round = 0; round < 5; round++) {
      const username = `ann ${round}`
      const counts = await sendAll(backends, 30, 'POST /connect', () => ({
        username,
        channels: ['room'],
      }))
      expect(counts).toEqual({ 200: 7, 429: 23 })
    }
    const info = await backends[0]?.info()
    expect(info?.channels['room']).toMatchObject({ total_connections: 35, total_users: 5 })
  })

  it('let one of many requests at once have the last channel', async () => {
    const [first, ...others] = await startServers({ max_channels_per_user: 7 })
    const backends = [first as Backend, ...others]
    const connIds = await Promise.all(backends.map((backend) => backend.connect('ann', ['first'])))
    const counts = await sendAll(backends, 30, 'POST /subscribe', (index) => ({
      conn_id: connIds[index % connIds.length],
      channels: [`c${index}`],
    }))
    expect(counts).toEqual({ 200: 6, 429: 24 })
    expect(Object.keys((await (first as Backend).info()).channels)).toHaveLength(7)
  })

  it('let as many of many posts at once through as there are tokens', async () => {
    const backends = await startServers({
      message_rate_per_user: 0.001,
      message_burst_per_user: 7,
    })
    const one = [{ user: 'ann', channel: 'room', message: {} }]
    expect(await sendAll(backends, 30, 'POST /message', () => one)).toEqual({ 200: 7, 429: 23 })
  })

  it('count a connection no more when its server has stopped and its client does not come back', async () => {
    const settings = { gc_conns_after: 0.5, resume_window: 0.5, max_connections_per_user: 1 }
    const shared = { redis_url: redis.url, redis_prefix: freshPrefix(), ...settings }
    const dying = await startServer(shared)
    const staying = await startServer(shared)
    onTestFinished(() => staying.close())
    const listener = await Listener.open(dying, await new Backend(dying).connect('ann', ['room']))
    const connect = () => new Backend(staying).send('POST /connect', { json: { username: 'ann' } })
    expect((await connect()).status).toBe(429)
    await dying.close()
    expect(await listener.closed).toMatchObject({ code: 1012 })
    await until(async () => (await connect()).status === 200, 'the end of the connection')
  })
})

describe('a limit on channels in Redis', () => {
  const LIMIT = { maxChannels: 5, unlimited: [] }

  async function open() {
    const prefix = freshPrefix()
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix })
    onTestFinished(() => store.stop())
    const join = (id: number, ...channels: string[]) =>
      store.join(connIdOf(id), channelNames(...channels), settingsMap({}), LIMIT)
    return { store, join, admin: await redis.client(), list: `{${prefix}}:j:ann` }
  }

  it('does not read all connections of a user for each channel', async () => {
    const { store, join, admin } = await open()
    for (let id = 1; id <= 100; id++) await connect(store, 'ann', { id, channels: ['a'] })
    const reads = async () => {
      const text = await admin.info('commandstats')
      return Number(/cmdstat_hkeys:calls=(\d+)/.exec(text)?.[1] ?? 0)
    }
    await join(1, 'b')
    const before = await reads()
    for (const name of ['c', 'd', 'e']) await join(2, name)
    await expect(join(3, 'f')).rejects.toThrow(TooManyChannels)
    // Each join reads the channels of its own connection.
    expect((await reads()) - before).toBeLessThanOrEqual(4)
  })

  it('counts right what servers changed that do not keep the list', async () => {
    const { store, join, admin, list } = await open()
    await connect(store, 'ann', { id: 1, channels: ['a', 'b'] })
    await join(1, 'c')
    expect((await admin.sMembers(list)).toSorted()).toEqual(['a', 'b', 'c'])
    // As if another server had left these channels.
    await admin.sAdd(list, ['gone', 'long gone'])
    await join(1, 'd', 'e')
    expect((await admin.sMembers(list)).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await expect(join(1, 'f')).rejects.toThrow(TooManyChannels)
    expect(await admin.pTTL(list)).toBeGreaterThan(3_500_000)
    expect(await admin.pTTL(list)).toBeLessThanOrEqual(3_600_000)
    // As if the list had expired, or Redis had evicted it.
    await admin.del(list)
    await expect(join(1, 'f')).rejects.toThrow(TooManyChannels)
  })

  it('keeps nothing of users who are gone, and of those without a limit', async () => {
    const { store, join, admin, list } = await open()
    await connect(store, 'ann', { id: 1, channels: ['a'] })
    expect(await admin.exists(list)).toBe(0)
    await join(1, 'b')
    expect(await admin.exists(list)).toBe(1)
    await store.drop(connIdOf(1))
    expect(await admin.exists(list)).toBe(0)
  })
})

describe('a rate of messages in Redis', () => {
  const RATE = { intervalMs: 1000, burst: 2 }
  const charge = (tokens: number) => ({
    user: userName('ann'),
    channel: channelName('room'),
    tokens,
  })

  async function openByHand() {
    const prefix = freshPrefix()
    const clock = new ManualClock()
    const now = () => Math.floor(clock.wallTime())
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, clock, now })
    onTestFinished(() => store.stop())
    await store.configure(settingsMap({ room: { store_history: true } }))
    const publish = (tokens: number, once?: string) =>
      store.publish([message('room')], once, { ...RATE, charges: [charge(tokens)] })
    return { store, clock, prefix, publish }
  }

  it('takes no token for a retry of a request that was published', async () => {
    const { store, publish } = await openByHand()
    await publish(2, 'k1')
    for (let n = 0; n < 3; n++) await publish(2, 'k1')
    await expect(publish(1, 'k2')).rejects.toThrow(RateExceeded)
    expect(await store.figures()).toMatchObject({ messages: 1 })
  })

  it('does not take a refused request for one that was published', async () => {
    const { store, clock, publish } = await openByHand()
    await publish(2)
    await expect(publish(1, 'k')).rejects.toThrow(RateExceeded)
    await clock.advance(1000)
    await publish(1, 'k')
    expect(await store.figures()).toMatchObject({ messages: 2 })
  })

  it('keeps a bucket until it is full, and a minute longer', async () => {
    const { prefix, publish } = await openByHand()
    await publish(2)
    const admin = await redis.client()
    const keys = await admin.keys(`{${prefix}}:b:*`)
    expect(keys).toEqual([`{${prefix}}:b:3:ann:room`])
    const ttl = await admin.pTTL(keys[0] as string)
    expect(ttl).toBeGreaterThan(52_000)
    expect(ttl).toBeLessThanOrEqual(62_000)
  })

  it('goes by the time of the installation, whatever the calendar says', async () => {
    const { store, clock, prefix, publish } = await openByHand()
    await publish(2)
    // A server whose calendar is an hour ahead.
    const later = new ManualClock()
    const other = await openRedisStore(redis, {
      ...CONTRACT_OPTIONS,
      prefix,
      clock: later,
      now: () => Math.floor(clock.wallTime()) + 3_600_000,
    })
    onTestFinished(() => other.stop())
    const rate = { ...RATE, charges: [charge(1)] }
    await expect(other.publish([message('room')], undefined, rate)).rejects.toThrow(RateExceeded)
    expect(await store.figures()).toMatchObject({ messages: 1 })
  })

  it('is the same after an answer of Redis was lost', async () => {
    const proxy = await TcpProxy.start(redis.port)
    const settings = {
      redis_url: `redis://127.0.0.1:${proxy.port}`,
      redis_prefix: freshPrefix(),
      message_rate_per_user: 0.001,
      message_burst_per_user: 2,
    }
    const server = await startServer(settings)
    onTestFinished(async () => {
      await server.close()
      await proxy.stop()
    })
    const backend = new Backend(server)
    await backend.connect('ann', ['room'])
    const post = (text: string, key: string) =>
      backend.send('POST /message', {
        json: [{ user: 'ann', channel: 'room', message: { text } }],
        headers: { 'idempotency-key': key },
      })
    proxy.cutAfter('"first"')
    expect((await post('first', 'k1')).status).toBe(503)
    await until(async () => (await post('first', 'k1')).status === 200, 'the answer')
    expect((await post('second', 'k2')).status).toBe(200)
    expect((await post('third', 'k3')).status).toBe(429)
  })
})

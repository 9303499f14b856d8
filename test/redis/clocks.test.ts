/** Clocks that jump: on the machine of Redis, and on those of the servers. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { RedisStore } from '../../src/store/redis/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { attach, connIdOf, connect, message } from '../contract/fixtures.ts'
import { anAnswer, begin } from '../contract/idempotency-cache.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { ON_DISK, RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { RedisClient } from '../helpers/redis.ts'

const TEN_MINUTES = 600_000
/** Longer than a lease and the beats around it. */
const LEASE_IS_OVER_MS = 12_000

let redis: RedisServer
let admin: RedisClient
const cleanup: (() => unknown)[] = []

beforeAll(async () => {
  redis = await RedisServer.start(ON_DISK)
  admin = await redis.client()
})
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean()
})
afterAll(async () => {
  admin.destroy()
  await endAll()
})

/** The calendar of the machine of Redis, which the servers read as well. It can jump forwards and backwards. */
class Calendar {
  ahead = 0
  readonly clock = { ...systemClock, wallTime: () => systemClock.wallTime() + this.ahead }
  readonly now = (): number => Math.floor(this.clock.wallTime())
}

/** A server whose Redis uses this calendar. */
async function start(calendar: Calendar, settings: ConfigInput) {
  const open = RedisStore.open.bind(RedisStore)
  const opening = vi
    .spyOn(RedisStore, 'open')
    .mockImplementation((options, ...rest) => open({ ...options, now: calendar.now }, ...rest))
  const server = await startServer({ redis_url: redis.url, ...settings })
  opening.mockRestore()
  cleanup.push(() => server.close())
  return server
}

interface Wishes {
  readonly prefix: string
  readonly port?: number
}

/** A store without a hub: nothing sweeps it. */
async function open(calendar: Calendar, { prefix, port = redis.port }: Wishes) {
  const { clock, now } = calendar
  const options = { ...CONTRACT_OPTIONS, prefix, clock, now, orphanWaitMs: 1000 }
  const store = await openRedisStore({ url: `redis://127.0.0.1:${port}` }, options)
  cleanup.push(() => store.stop())
  return store
}

/** A store that can be cut off for good, like a server that died. */
async function openDoomed(calendar: Calendar, prefix: string) {
  const proxy = await TcpProxy.start(redis.port)
  cleanup.push(() => proxy.stop())
  const store = await open(calendar, { prefix, port: proxy.port })
  return { store, die: () => proxy.cut() }
}

const serversOf = async (prefix: string) =>
  (await admin.zRange(`{${prefix}}:servers`, 0, -1)).toSorted()

describe.each([
  ['back', -TEN_MINUTES],
  ['forward', TEN_MINUTES],
])('a clock that steps %s by ten minutes', { timeout: 60_000 }, (_, step) => {
  it('throws nobody out, and keeps nobody who has gone', async () => {
    const calendar = new Calendar()
    const redis_prefix = freshPrefix()
    const settings = { redis_prefix, gc_conns_after: 3, resume_window: 3, heartbeat_interval: 1 }
    const server = await start(calendar, settings)
    const other = await start(calendar, settings)
    const backend = new Backend(server)
    const configs = { channel_configs: { room: { notify_presence: true } } }
    const bob = await Listener.open(other, await backend.connect('bob', ['room'], configs))
    const ann = await Listener.open(server, await backend.connect('ann', ['room']))
    await until(() => bob.of('presence').length === 1, 'ann to come')
    const names = await serversOf(redis_prefix)

    const brokenOffAt = performance.now()
    ann.destroy()
    await until(
      async () => (await admin.zCard(`{${redis_prefix}}:due`)) === 1,
      'the server to notice',
    )
    calendar.ahead = step
    await until(() => bob.of('presence').length === 2, 'ann to part', 20_000)
    expect(performance.now() - brokenOffAt).toBeGreaterThan(2_900)
    expect(performance.now() - brokenOffAt).toBeLessThan(15_000)
    expect(bob.ending).toBeUndefined()
    expect(await serversOf(redis_prefix)).toEqual(names)
    await backend.say('room', 'still here')
    await bob.heard('still here')
    expect((await backend.info()).channels['room']?.total_connections).toBe(1)
  })

  it('ends the lease of a server that dies afterwards at its usual time', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const { store: dead, die } = await openDoomed(calendar, prefix)
    const store = await open(calendar, { prefix })
    await connect(dead, 'ann', { id: 1 })
    await attach(dead, connIdOf(1))
    calendar.ahead = step
    await until(async () => (await store.sweep()).length === 0, 'a sweep')
    expect(await serversOf(prefix)).toHaveLength(2)
    const diedAt = performance.now()
    die()
    await until(
      async () => (await store.sweep()).includes(connIdOf(1)),
      'what the dead one held to be due',
      LEASE_IS_OVER_MS + 8_000,
    )
    expect(performance.now() - diedAt).toBeGreaterThan(5_000)
    expect(performance.now() - diedAt).toBeLessThan(LEASE_IS_OVER_MS)
  })

  it('makes Redis forget neither answers nor what was published, nor sessions, too early or too late', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const store = await open(calendar, { prefix })
    const answers = store.idempotencyCache({ windowMs: 4000, maxBytes: 10_000 })
    const sessions = store.adminSessions({ lifetimeMs: 4000, maxSessions: 10 })
    await connect(store, 'ann', { channels: ['room'] })
    const keptAt = performance.now()
    await (
      await begin(answers, 'settled')
    )(anAnswer(), true)
    await begin(answers, 'pending')
    await sessions.open('a')
    await store.publish([message('room')], 'once')
    calendar.ahead = step
    const isRemembered = async (): Promise<boolean> =>
      (await answers.claim('settled', 'f')).outcome === 'repeat'
    expect(await isRemembered()).toBe(true)
    expect((await answers.claim('pending', 'f')).outcome).toBe('repeat')
    expect(await sessions.isAnyOpen(['a'])).toBe(true)
    await store.publish([message('room')], 'once')
    expect((await store.figures()).messages).toBe(1)
    await until(async () => !(await sessions.isAnyOpen(['a'])), 'the session to end')
    expect(performance.now() - keptAt).toBeGreaterThan(3_900)
    expect(performance.now() - keptAt).toBeLessThan(10_000)
    expect(await isRemembered()).toBe(false)
  })

  it('does not mislead a server that is started then, while others are there', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const store = await open(calendar, { prefix })
    await connect(store, 'ann', { id: 1, waitMs: 60_000 })
    calendar.ahead = step
    const late = await open(calendar, { prefix })
    expect(await late.sweep()).toEqual([])
    await connect(late, 'bob', { id: 2, waitMs: 60_000 })
    const due = await admin.zRangeWithScores(`{${prefix}}:due`, 0, -1)
    const [first = 0, second = 0] = due.map(({ score }) => score)
    expect(Math.abs(second - first)).toBeLessThan(10_000)
    expect(await serversOf(prefix)).toHaveLength(2)
  })

  it('does not count when it comes with a restart of Redis', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const store = await open(calendar, { prefix })
    await connect(store, 'ann', { id: 1, waitMs: 60_000 })
    calendar.ahead = step
    await redis.restart()
    const isBack = async (): Promise<boolean> =>
      Promise.resolve(store.hasConnection(connIdOf(1))).catch(() => false)
    await until(isBack, 'the store to come back', 20_000)
    expect(await store.sweep()).toEqual([])
    await connect(store, 'bob', { id: 2, waitMs: 0 })
    await until(async () => (await store.sweep()).includes(connIdOf(2)), 'who is due')
  })
})

describe('the time of an installation', { timeout: 60_000 }, () => {
  it('goes on while no server is there', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const before = await open(calendar, { prefix })
    await connect(before, 'ann', { id: 1, waitMs: 60_000 })
    await before.stop()
    calendar.ahead = TEN_MINUTES
    const after = await open(calendar, { prefix })
    expect(await after.sweep()).toEqual([connIdOf(1)])
  })

  it('goes on while no server is there that has not died', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const { store, die } = await openDoomed(calendar, prefix)
    await connect(store, 'ann', { id: 1, waitMs: 60_000 })
    die()
    calendar.ahead = TEN_MINUTES
    const after = await open(calendar, { prefix })
    expect(await after.sweep()).toEqual([connIdOf(1)])
  })

  it('stands still rather than go back while no server is there', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const before = await open(calendar, { prefix })
    await connect(before, 'ann', { id: 1, waitMs: 2_000 })
    await before.stop()
    calendar.ahead = -TEN_MINUTES
    const after = await open(calendar, { prefix })
    await until(async () => (await after.sweep()).includes(connIdOf(1)), 'who is due')
  })

  it('begins as the calendar, by which older versions have written their deadlines', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const before = await open(calendar, { prefix })
    await connect(before, 'ann', { id: 1, waitMs: 60_000 })
    await before.stop()
    await admin.hDel(`{${prefix}}`, ['clock', 'seen'])
    calendar.ahead = 59_000
    const after = await open(calendar, { prefix })
    expect(await after.sweep()).toEqual([])
    await until(async () => (await after.sweep()).includes(connIdOf(1)), 'who is due')
  })

  it('is that of servers of an older version, where these are there alone', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const before = await open(calendar, { prefix })
    await before.stop()
    const listener = await redis.client()
    cleanup.push(() => listener.destroy())
    await listener.sSubscribe(`{${prefix}}:s:older`, () => {})
    calendar.ahead = TEN_MINUTES
    // As the older version renews its lease.
    const until = calendar.now() + 6_000
    await admin.zAdd(`{${prefix}}:servers`, { score: until, value: 'older' })
    await open(calendar, { prefix })
    const clock = Number(await admin.hGet(`{${prefix}}`, 'clock'))
    expect(clock).toBeGreaterThanOrEqual(until - 6_000)
    expect(clock).toBeLessThan(until)
  })

  it('is not what people are shown: that is the calendar', async () => {
    const calendar = new Calendar()
    const prefix = freshPrefix()
    const store = await open(calendar, { prefix })
    await connect(store, 'ann', { channels: ['room'] })
    calendar.ahead = TEN_MINUTES
    const names = await store.channelNames()
    await until(async () => {
      await store.publish([message('room')])
      const [room] = await store.channels(names, { users: false, history: false })
      return Math.abs((room?.lastActive ?? 0) - calendar.now()) < 5_000
    }, 'the next beat')
  })
})

/** The same rules on Redis: for a hub alone, for one server, and for three servers that take requests in turn. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { RedisStore } from '../../src/store/redis/store.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { HubDriver, storeLimits } from './hub-driver.ts'
import { hubOptions, operations, runs } from './operations.ts'
import { QuietClock, Quiet } from './quiet.ts'
import { OPTIONS, ServerDriver, SocketClock, settingsOf } from './server-driver.ts'
import { World } from './world.ts'
import type { RedisClient } from '../helpers/redis.ts'
import type { Driver } from './driver.ts'
import type { Operation } from './operations.ts'
import type { ServerDriverDeps } from './server-driver.ts'

const PATIENCE_MS = 3_600_000

let redis: RedisServer
let client: RedisClient
beforeAll(async () => {
  redis = await RedisServer.start()
  client = await redis.client()
})
afterAll(async () => {
  client.destroy()
  await redis.stop()
})

async function playAndGo(driver: Driver, sequence: readonly Operation[]): Promise<void> {
  const world = new World(driver)
  await world.play(sequence)
  await world.everybodyGoes()
}

describe('a hub over a Redis store', () => {
  it('does what the model says, whatever the order of operations', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(hubOptions, operations(60, ['sse']), async (options, sequence) => {
        const clock = new QuietClock()
        const now = (): number => Math.floor(clock.wallTime())
        const store = await openRedisStore(redis, { ...storeLimits(options), clock, now })
        const driver = new HubDriver(options, { clock, store: clock.quiet.watch(store) })
        try {
          await playAndGo(driver, sequence)
        } finally {
          await driver.stop()
        }
        expect(clock.pending, 'timers').toBe(0)
      }),
      { numRuns: runs(20) },
    ),
  )
})

/** A manual clock. A turn ends when the servers have no running calls and announcements left. */
class SharedClock extends SocketClock {
  readonly quiet = new Quiet()

  constructor(private readonly prefix: string) {
    super()
  }

  override async endTurn(): Promise<void> {
    await this.#keepAlive()
    await super.endTurn()
    await this.quiet.come()
    await super.endTurn()
    await this.quiet.come()
    await super.endTurn()
  }

  /** Extends the leases: servers renew them by real time, too late for this clock. */
  async #keepAlive(): Promise<void> {
    const until = String(Math.floor(this.wallTime()) + 1_000_000)
    await client.eval(KEEP_ALIVE, { keys: [`{${this.prefix}}:servers`], arguments: [until] })
  }
}

const KEEP_ALIVE = `
for _, server in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], ARGV[1], server) end
return 1`

/** Shorter deadlines: every server sweeps every half second, so long ones make the test slow. */
const SHORT: Driver['options'] = {
  ...OPTIONS,
  gcConnsMs: 20_000,
  gcUsersMs: 10_000,
  gcChannelsMs: 10_000,
}

async function startTogether(count: number): Promise<ServerDriverDeps> {
  const redis_prefix = freshPrefix()
  const clock = new SharedClock(redis_prefix)
  const open = RedisStore.open.bind(RedisStore)
  const opening = vi
    .spyOn(RedisStore, 'open')
    .mockImplementation(async (...args) => clock.quiet.watch(await open(...args)))
  const settings = { ...settingsOf(SHORT), redis_url: redis.url, redis_prefix }
  const starting = Array.from({ length: count }, () => startServer(settings, clock))
  const servers = await Promise.all(starting)
  opening.mockRestore()
  return { clock, servers, options: SHORT }
}

describe.each([
  [1, 12],
  [3, 12],
])('%i servers on Redis, over HTTP and WebSocket', (count, usual) => {
  it('do what the model says, whatever the order of operations', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(
        operations(30, ['stall', 'drain', 'fallSilent', 'answer']),
        async (sequence) => {
          const driver = await ServerDriver.start(await startTogether(count))
          try {
            await playAndGo(driver, sequence)
          } finally {
            await driver.stop()
          }
        },
      ),
      { numRuns: runs(usual) },
    ),
  )
})

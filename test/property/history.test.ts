import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { MemoryStore } from '../../src/store/memory/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { ManualClock } from '../helpers/clock.ts'
import { openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { HistoryPlay, historyOperations } from './history.ts'
import { runs } from './operations.ts'

const PATIENCE_MS = 3_600_000
/** Some histories are long, and some are not. Idle channels are not removed. */
const OPTIONS = { ...CONTRACT_OPTIONS, longHistory: 4, gcChannelsMs: 1e9 }

describe('a history in memory', () => {
  it('is what the model says, whatever the order of operations', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(historyOperations, async (operations) => {
        const clock = new ManualClock()
        await new HistoryPlay(new MemoryStore(clock, OPTIONS), clock).play(operations)
      }),
      { numRuns: runs(300) },
    ),
  )
})

describe('a history in Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.stop())

  it('is what the model says, whatever the order of operations', { timeout: PATIENCE_MS }, () =>
    fc.assert(
      fc.asyncProperty(historyOperations, async (operations) => {
        const clock = new ManualClock()
        const now = () => Math.floor(clock.wallTime())
        const store = await openRedisStore(redis, { ...OPTIONS, clock, now })
        try {
          await new HistoryPlay(store, clock).play(operations)
        } finally {
          await store.stop()
        }
      }),
      { numRuns: runs(60) },
    ),
  )
})

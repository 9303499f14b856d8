import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { answersContract } from '../contract/answers.ts'
import { RedisServer } from '../helpers/redis.ts'
import { openRedisStore } from '../helpers/redis-store.ts'
import { storeContract } from '../contract/store.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis.stop())

storeContract('Redis', (clock) =>
  openRedisStore(redis, { ...CONTRACT_OPTIONS, clock, now: () => Math.floor(clock.wallTime()) }),
)

answersContract('in Redis', async () => {
  const store = await openRedisStore(redis, CONTRACT_OPTIONS)
  onTestFinished(() => store.stop())
  return store.answers({ windowMs: 10_000, maxBytes: 1_000_000 })
})

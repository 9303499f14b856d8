import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { answersContract } from '../contract/answers.ts'
import { RedisServer } from '../helpers/redis.ts'
import { connect, deliveryOf, userName, whisper } from '../contract/fixtures.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { userTopic } from '../../src/store/store.ts'
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

describe('what is kept in Redis', () => {
  it('of a private message is the same for each of its users, however many there are', async () => {
    const prefix = freshPrefix()
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix })
    onTestFinished(() => store.stop())
    const names = Array.from({ length: 200 }, (_, index) => `user ${index}`)
    for (const [id, name] of names.entries()) await connect(store, name, { id })
    await store.publish([whisper(names, { text: 'x' })])
    const admin = await redis.client()
    const kept = await admin.lRange(`{${prefix}}:g:user 7`, 0, -1)
    expect(kept).toHaveLength(1)
    expect(kept[0]?.length).toBeLessThan(300)
    const { events } = await store.missed([{ topic: userTopic(userName('user 7')), after: 0 }])
    expect(events[0]?.delivery).toEqual(deliveryOf({ pmUsers: ['user 7'] }))
  })
})

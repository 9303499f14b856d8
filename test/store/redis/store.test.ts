import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ANSWER_OVERHEAD_BYTES } from '../../../src/store/idempotency-cache.ts'
import { userTopic } from '../../../src/store/store.ts'
import { adminSessionsContract } from '../../contract/admin-sessions.ts'
import { CONTRACT_OPTIONS } from '../../contract/bench.ts'
import {
  attach,
  connIdOf,
  connect,
  deliveryOf,
  userName,
  whisper,
} from '../../contract/fixtures.ts'
import { anAnswer, answersContract, begin } from '../../contract/idempotency-cache.ts'
import { storeContract } from '../../contract/store.ts'
import { webhookContract } from '../../contract/webhook-queue.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { freshPrefix, openRedisStore } from '../../helpers/redis-store.ts'
import { RedisServer } from '../../helpers/redis.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis.stop())

storeContract('Redis', (clock) =>
  openRedisStore(redis, { ...CONTRACT_OPTIONS, clock, now: () => Math.floor(clock.wallTime()) }),
)

webhookContract('in Redis', async (clock, webhooks) => {
  const now = () => Math.floor(clock.wallTime())
  const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, clock, now, webhooks })
  if (!store.webhookQueue) throw new Error('no queue')
  return { store, queue: store.webhookQueue }
})

answersContract('in Redis', async (wishes) => {
  const store = await openRedisStore(redis, CONTRACT_OPTIONS)
  onTestFinished(() => store.stop())
  return store.idempotencyCache(wishes)
})

adminSessionsContract('in Redis', async (clock, limits) => {
  const now = () => Math.floor(clock.wallTime())
  const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, clock, now })
  onTestFinished(() => store.stop())
  return store.adminSessions(limits)
})

describe('what is kept in Redis', () => {
  /** Opens a store with a manual clock. */
  async function openByHand() {
    const prefix = freshPrefix()
    const clock = new ManualClock()
    const now = () => Math.floor(clock.wallTime())
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, clock, now })
    onTestFinished(() => store.stop())
    return { store, clock, prefix }
  }

  it('of a private message is the same for each of its users, however many there are', async () => {
    const { store, prefix } = await openByHand()
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

  it('of answers is given back when they are forgotten', async () => {
    const { store, clock, prefix } = await openByHand()
    const answers = store.idempotencyCache({ windowMs: 1000, maxBytes: 10_000 })
    const admin = await redis.client()
    const held = () => admin.hGet(`{${prefix}}`, 'answers')
    for (const key of ['a', 'b']) await (await begin(answers, key))(anAnswer('[]'), true)
    expect(await held()).toBe('1028')
    await clock.advance(1001)
    await (
      await begin(answers, 'c')
    )(anAnswer('[]'), true)
    expect(await held()).toBe('514')
    expect(await admin.zCard(`{${prefix}}:answers`)).toBe(1)
  })

  it('of a request that is being done is not forgotten with an older one of its key', async () => {
    const { store, clock } = await openByHand()
    const one = ANSWER_OVERHEAD_BYTES + 2
    const answers = store.idempotencyCache({ windowMs: 1000, maxBytes: 600 * one })
    const keys = Array.from({ length: 520 }, (_, index) => `k${index}`)
    for (const key of keys) await (await begin(answers, key))(anAnswer('[]'), true)
    await clock.advance(1001)
    // Expired entries are removed from the front, a limited number at a time. Of the rest, the first ones make room.
    const again = keys.toSorted()[505] ?? ''
    await begin(answers, again)
    const settle = await begin(answers, 'large')
    await settle(anAnswer('x'.repeat(595 * one)), true)
    expect((await answers.claim(again, 'f')).outcome).toBe('repeat')
    expect((await answers.claim('large', 'f')).outcome).toBe('repeat')
  })

  it('of sessions of the admin pages is gone when the last of them is over', async () => {
    const { store, clock, prefix } = await openByHand()
    const sessions = store.adminSessions({ lifetimeMs: 4_000, maxSessions: 10 })
    for (const name of ['a', 'b']) await sessions.open(name)
    const admin = await redis.client()
    const kept = () => admin.keys(`{${prefix}}:admin:*`)
    expect(await kept()).toHaveLength(1)
    await clock.advance(4_001)
    await store.sweep()
    expect(await kept()).toEqual([])
  })

  it('of a connection tells its attachments apart, also when it is made anew', async () => {
    const { store, prefix } = await openByHand()
    const admin = await redis.client()
    const attachmentNumbers: number[] = []
    for (let round = 0; round < 3; round++) {
      await connect(store, 'ann')
      await attach(store, connIdOf(1))
      attachmentNumbers.push(Number(await admin.hGet(`{${prefix}}:n:${connIdOf(1)}`, 'v')))
      await store.drop(connIdOf(1))
    }
    expect(new Set(attachmentNumbers).size).toBe(3)
  })
})

/** How long events take through Redis, back to the server that published them. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AnnounceTimes } from '../../src/store/redis/announce-times.ts'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import {
  Heard,
  channelName,
  connect,
  inSeveral,
  message,
  settingsMap,
  userName,
  uuidOf,
  whisper,
} from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { endAll } from '../helpers/ending.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import type { RedisStore } from '../../src/store/redis/store.ts'

describe('times of announcements', () => {
  it('go from the publish to the first announcement, once for each', async () => {
    const clock = new ManualClock()
    const times = new AnnounceTimes(clock)
    times.sent('a')
    await clock.advance(4)
    times.sent('b')
    await clock.advance(2)
    for (const uuid of ['b', 'a', 'a', 'of another server']) times.announced(uuid)
    const { count, sum, bounds, counts } = times.view()
    expect([count, sum]).toEqual([2, 0.008])
    expect(counts[bounds.indexOf(0.0025)]).toBe(1)
    expect(counts[bounds.indexOf(0.01)]).toBe(2)
  })

  it('leave out what was refused, and what nobody announced for a minute', async () => {
    const clock = new ManualClock()
    const times = new AnnounceTimes(clock)
    times.sent('refused')
    times.forget('refused')
    times.sent('lost')
    await clock.advance(60_000)
    times.sent('next')
    for (const uuid of ['refused', 'lost', 'next']) times.announced(uuid)
    expect(times.view().count).toBe(1)
  })

  it('are measured for a thousand at a time', () => {
    const times = new AnnounceTimes(new ManualClock())
    for (let n = 0; n < 1500; n++) times.sent(`${n}`)
    for (let n = 0; n < 1500; n++) times.announced(`${n}`)
    expect(times.view().count).toBe(1000)
  })
})

describe('a store on Redis measures', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  async function open(prefix: string) {
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix })
    onTestFinished(() => store.stop())
    return { store, heard: new Heard(store) }
  }
  const countOf = async (store: RedisStore) => (await store.figures()).announceSeconds?.count

  it('its own publishes that it listens to, and no others', async () => {
    const prefix = freshPrefix()
    const [{ store, heard }, { store: other }] = [await open(prefix), await open(prefix)]
    const channels = ['room', 'hall']
    await connect(store, 'ann', { channels, configs: { room: {}, hall: {} } })
    await store.ensure([channelName('away')], settingsMap({ away: {} }))
    await store.listen(channelTopic(channelName('room')))
    await store.listen(channelTopic(channelName('hall')))
    await store.listen(userTopic(userName('ann')))
    expect(await countOf(store)).toBe(0)

    const say = (n: number) => ({ uuid: uuidOf(n), text: `${n}` })
    await store.publish([message('room', say(1)), message('room', say(2))])
    await store.publish([whisper(['ann'], say(3))])
    await store.publishAndCount([inSeveral(channels, message('room', say(4)))])
    await store.publish([message('away', say(5))])
    await other.publish([message('room', say(6))])
    await store.publish([message('room', say(7))], 'a key')
    await store.publish([message('room', say(8))], 'a key')
    await store.publish([message('room', say(9))])
    await heard.upTo('9')
    // 1, 3, 4, 7 and 9: the first of each call.
    expect(await countOf(store)).toBe(5)
    expect(await countOf(other)).toBe(0)
    const { sum = 0 } = (await store.figures()).announceSeconds ?? {}
    expect(sum).toBeGreaterThan(0)
  })
})

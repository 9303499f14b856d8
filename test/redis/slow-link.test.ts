/** A server with a slow connection to Redis: replies arrive late, and announcements arrive on another connection. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { Heard, channelName, message, settingsMap } from '../contract/fixtures.ts'
import { pause } from '../helpers/http.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { closeClients } from '../helpers/websocket.ts'

const TIMEOUT_MS = 60_000
const DELAY_MS = 100

let redis: RedisServer
let proxy: TcpProxy
const cleanup: (() => unknown)[] = []

beforeAll(async () => {
  redis = await RedisServer.start()
  proxy = await TcpProxy.start(redis.port)
})
afterEach(async () => {
  closeClients()
  for (const clean of cleanup.splice(0).reverse()) await clean()
  proxy.delayMs = 0
})
afterAll(async () => {
  await proxy.stop()
  await redis.stop()
})

describe('a store far away from Redis', { timeout: TIMEOUT_MS }, () => {
  async function openFarAndNear() {
    const prefix = freshPrefix()
    const open = async (url: string) => {
      const store = await openRedisStore({ url }, { ...CONTRACT_OPTIONS, prefix })
      cleanup.push(() => store.stop())
      return store
    }
    const far = await open(`redis://127.0.0.1:${proxy.port}`)
    return { far, near: await open(redis.url) }
  }

  it('hears a channel that it let go of, and asked for again before Redis had answered', async () => {
    const { far, near } = await openFarAndNear()
    const heard = new Heard(far)
    const topic = channelTopic(channelName('room'))
    await near.configure(settingsMap({ room: {} }))
    proxy.delayMs = DELAY_MS
    const first = far.listen(topic)
    await pause(DELAY_MS) // so that the two replies do not arrive together
    const end = far.unlisten(topic)
    await first
    const again = far.listen(topic)
    await Promise.all([end, again])
    await near.publish([message('room', { text: 'hello' })])
    await heard.upTo('hello')
    expect(heard.texts).toEqual(['hello'])
  })
})

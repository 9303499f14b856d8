/** From which event on a client receives a channel, if its server receives announcements late. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channelName, userName } from '../contract/fixtures.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { ArraySink } from '../helpers/sink.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { TestServer } from '../helpers/server.ts'

const TIMEOUT_MS = 120_000
const PATIENCE_MS = 60_000

let redis: RedisServer
const cleanup: (() => Promise<void>)[] = []

beforeAll(async () => {
  redis = await RedisServer.start()
})
afterEach(async () => {
  closeClients()
  for (const clean of cleanup.splice(0).reverse()) await clean()
})
afterAll(() => redis.stop())

/** One server that can be cut off from Redis, and one that stays connected. */
async function startTwo(settings: ConfigInput = {}) {
  const proxy = await TcpProxy.start(redis.port)
  cleanup.push(() => proxy.stop())
  const shared = { redis_prefix: freshPrefix(), cookie_secret: 'the same', redis_timeout: 10 }
  const start = async (redis_url: string): Promise<TestServer> => {
    const server = await startServer({ ...shared, ...settings, redis_url })
    cleanup.push(() => server.close())
    return server
  }
  const far = await start(`redis://127.0.0.1:${proxy.port}`)
  return { proxy, far, backend: new Backend(await start(redis.url)) }
}
type Two = Awaited<ReturnType<typeof startTwo>>

/** A client of the server that is cut off. */
async function enter({ backend, far }: Two, user: string, ...channels: string[]) {
  const connId = await backend.connect(user, ['ready', ...channels])
  const client = await Listener.open(far, connId)
  await backend.say('ready', user)
  await client.heard(user, PATIENCE_MS)
  return { connId, client, texts: () => client.texts.slice(1) }
}

/** Cuts the server off for as long as `meanwhile` takes. */
async function awayFor(two: Two, meanwhile: () => Promise<void>): Promise<void> {
  two.proxy.heal() // cuts open connections, and allows new ones
  await two.proxy.holdAfter(0)
  await meanwhile()
  two.proxy.release()
  await isBack(two)
}

const isBack = ({ far }: Two) =>
  until(
    async () => (await new Backend(far).send('GET /health')).status === 200,
    'the server to be back',
    PATIENCE_MS,
  )

const isLoss = ({ type }: { type: string }) => type === 'gap'

describe('a server that was cut off from Redis', { timeout: TIMEOUT_MS }, () => {
  it('tells a client nothing of what was said before it joined meanwhile, and everything after', async () => {
    const two = await startTwo()
    const { backend } = two
    const ann = await enter(two, 'ann')
    const bob = await enter(two, 'bob', 'room')
    await awayFor(two, async () => {
      for (const text of ['1', '2', '3']) await backend.say('room', text)
      await backend.call('POST /subscribe', { conn_id: ann.connId, channels: ['room'] })
      for (const text of ['4', '5']) await backend.say('room', text)
    })
    await backend.say('room', '6')
    await Promise.all([ann.client.heard('6', PATIENCE_MS), bob.client.heard('6', PATIENCE_MS)])
    expect(ann.texts().filter((text) => text !== 'bob')).toEqual(['4', '5', '6'])
    expect(bob.texts()).toEqual(['1', '2', '3', '4', '5', '6'])
  })

  it('tells a client nothing of what was said between its leaving and its return', async () => {
    const two = await startTwo()
    const { backend } = two
    const ann = await enter(two, 'ann', 'room')
    await awayFor(two, async () => {
      await backend.call('POST /unsubscribe', { conn_id: ann.connId, channels: ['room'] })
      await backend.say('room', 'not for ann')
      await backend.call('POST /subscribe', { conn_id: ann.connId, channels: ['room'] })
      await backend.say('room', 'for ann')
    })
    await backend.say('room', 'the end')
    await ann.client.heard('the end', PATIENCE_MS)
    expect(ann.texts()).toEqual(['for ann', 'the end'])
  })

  it('tells a gap to those who were in the channel then, and not to those who joined later', async () => {
    const two = await startTwo({ channel_frames: 5 })
    const { backend } = two
    const ann = await enter(two, 'ann')
    const bob = await enter(two, 'bob', 'room')
    await awayFor(two, async () => {
      for (const text of ['1', '2', '3', '4', '5', '6', '7']) await backend.say('room', text)
      await backend.call('POST /subscribe', { conn_id: ann.connId, channels: ['room'] })
      await backend.say('room', '8')
    })
    await Promise.all([ann.client.heard('8', PATIENCE_MS), bob.client.heard('8', PATIENCE_MS)])
    expect(bob.client.events.filter(isLoss)).toMatchObject([{ channels: ['room'] }])
    expect(bob.texts()).toEqual(['4', '5', '6', '7', '8'])
    expect(ann.client.events.filter(isLoss)).toEqual([])
    expect(ann.texts().filter((text) => text !== 'bob')).toEqual(['8'])
  })

  it('tells a client the gap that lies between its joining and its hearing of it', async () => {
    const two = await startTwo({ channel_frames: 5 })
    const { backend } = two
    const ann = await enter(two, 'ann')
    await awayFor(two, async () => {
      await backend.call('POST /subscribe', { conn_id: ann.connId, channels: ['room'] })
      for (const text of ['1', '2', '3', '4', '5', '6', '7']) await backend.say('room', text)
    })
    await ann.client.heard('7', PATIENCE_MS)
    expect(ann.client.events.filter(isLoss)).toMatchObject([{ channels: ['room'] }])
    expect(ann.texts()).toEqual(['3', '4', '5', '6', '7'])
  })

  it('tells a guest nothing of what was said before it began to listen', async () => {
    const two = await startTwo()
    const { backend, far } = two
    await backend.connect('ann', ['tailed'])
    const sink = new ArraySink()
    const guest = far.app.hub.guests.open(userName('guest'), sink)
    await backend.say('tailed', 'before')
    await far.app.hub.guests.listen(guest, [channelName('tailed')])
    await awayFor(two, () => backend.say('tailed', 'meanwhile'))
    await backend.say('tailed', 'the end')
    const texts = () =>
      sink.events.map((event) => (event as { message?: { text?: string } }).message?.text)
    await until(() => texts().includes('the end'), 'the end', PATIENCE_MS)
    expect(texts()).toEqual(['meanwhile', 'the end'])
  })
})

describe('a server for which Redis is far away', { timeout: TIMEOUT_MS }, () => {
  const JOINERS = 20
  const DELAY_MS = 20

  /** Posts messages one after the other until it is stopped. Each contains its number. */
  function post(backend: Backend, channel: string) {
    let [number, isOver] = [0, false]
    const posting = (async () => {
      while (!isOver) {
        await backend.say(channel, String(number + 1))
        number++
      }
    })()
    return {
      /** The number of the last message that Redis certainly has. */
      posted: () => number,
      stop: async () => {
        isOver = true
        await posting
        return number
      },
    }
  }

  const numbersIn = ({ texts }: Listener) => texts.map(Number).filter((number) => number > 0)

  /** Joins. Returns the last message that was surely posted before, and the first that was surely posted afterwards. */
  async function join({ backend }: Two, connId: string, posted: () => number) {
    const before = posted()
    await backend.call('POST /subscribe', { conn_id: connId, channels: ['busy'] })
    return { before, after: posted() + 2 }
  }

  it('tells who joins, at any time, what is said from then on, all of it and in order', async () => {
    const two = await startTwo({ channel_frames: 10_000 })
    const { backend, proxy } = two
    const bob = await enter(two, 'bob', 'busy')
    const joiners = []
    for (let at = 0; at < JOINERS; at++) joiners.push(await enter(two, `user ${at}`))
    const posting = post(backend, 'busy')
    proxy.delayMs = DELAY_MS
    const joined: { client: Listener; before: number; after: number }[] = []
    for (const { connId, client } of joiners) {
      const soFar = posting.posted()
      proxy.heal() // cuts open connections, and allows new ones
      await until(() => posting.posted() > soFar + 10, 'some messages')
      joined.push({ client, ...(await join(two, connId, posting.posted)) })
    }
    proxy.delayMs = 0
    await isBack(two)
    const last = await posting.stop()
    const clients = [bob.client, ...joined.map(({ client }) => client)]
    await Promise.all(clients.map((client) => client.heard(String(last), PATIENCE_MS)))
    for (const { client, before, after } of joined) {
      const numbers = numbersIn(client)
      const [first = 0] = numbers
      expect(first).toBeGreaterThan(before)
      expect(first).toBeLessThanOrEqual(after)
      const all = Array.from({ length: last - first + 1 }, (_, index) => first + index)
      expect(numbers).toEqual(all)
    }
  })
})

/** Changes at each step while a server reconnects to Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import {
  Heard,
  channelName,
  connect,
  message,
  textsOf,
  userName,
  whisper,
} from '../contract/fixtures.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { ArraySink } from '../helpers/sink.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { RedisStore } from '../../src/store/redis/store.ts'
import type { TestServer } from '../helpers/server.ts'

const TIMEOUT_MS = 120_000
const PATIENCE_MS = 40_000
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
async function startTwo() {
  const proxy = await TcpProxy.start(redis.port)
  cleanup.push(() => proxy.stop())
  const shared = { redis_prefix: freshPrefix(), cookie_secret: 'the same', redis_timeout: 30 }
  const start = async (redis_url: string): Promise<TestServer> => {
    const server = await startServer({ ...shared, redis_url })
    cleanup.push(() => server.close())
    return server
  }
  const far = await start(`redis://127.0.0.1:${proxy.port}`)
  return { proxy, far, backend: new Backend(await start(redis.url)) }
}
type Two = Awaited<ReturnType<typeof startTwo>>

/** A client of the server that is cut off. */
async function enter({ backend, far }: Two, user: string, ...channels: string[]) {
  const connId = await backend.connect(user, ['room', ...channels])
  const client = await Listener.open(far, connId)
  await backend.say('room', `${user} is ready`)
  await client.heard(`${user} is ready`, PATIENCE_MS)
  return { connId, client }
}

/** Resolves when the store gets replies again. */
async function isThere(store: RedisStore): Promise<true> {
  let answered = false
  const ask = async () => {
    await store.figures().then(
      () => (answered = true),
      () => undefined,
    )
    return answered
  }
  await until(ask, 'the store to be back', PATIENCE_MS)
  return true
}

const isBack = ({ far }: Two) =>
  until(
    async () => (await new Backend(far).send('GET /health')).status === 200,
    'the server to be back',
    PATIENCE_MS,
  )

/** Counts the commands that a server sends while it reconnects, and a few more. */
async function countSteps(two: Two): Promise<number> {
  two.proxy.heal() // cuts open connections, and allows new ones
  await isBack(two)
  expect(two.proxy.passed).toBeGreaterThan(15)
  return two.proxy.passed
}

/** Cuts the server off, and stops it at each step of its reconnect. */
async function atEachStep(
  two: Two,
  steps: number,
  visit: (step: number, goOn: () => Promise<void>) => Promise<void>,
): Promise<void> {
  for (let step = 0; step < steps; step++) {
    two.proxy.heal()
    await two.proxy.holdAfter(step)
    await visit(step, async () => {
      two.proxy.release()
      await isBack(two)
    })
  }
}

describe('while a store comes back to Redis', { timeout: TIMEOUT_MS }, () => {
  it('it may be asked for a topic, and hears it as soon as it says so', async () => {
    const proxy = await TcpProxy.start(redis.port)
    cleanup.push(() => proxy.stop())
    const prefix = freshPrefix()
    const open = async (url: string) => {
      const store = await openRedisStore({ url }, { ...CONTRACT_OPTIONS, prefix })
      cleanup.push(() => store.stop())
      return store
    }
    const far = await open(`redis://127.0.0.1:${proxy.port}`)
    const near = await open(redis.url)
    const heard = new Heard(far)
    let isBack = false
    for (let step = 0; !isBack; step++) {
      const [room, user] = [`room ${step}`, `user ${step}`]
      await connect(near, user, { id: step, channels: [room] })
      proxy.heal() // cuts open connections, and allows new ones
      isBack = await Promise.race([proxy.holdAfter(step).then(() => false), isThere(far)])
      const listening = [channelTopic(channelName(room)), userTopic(userName(user))].map((topic) =>
        far.listen(topic),
      )
      proxy.release()
      await Promise.all(listening)
      await near.publish([message(room, { text: room }), whisper([user], { text: user })])
      await until(() => heard.texts.includes(user), user, PATIENCE_MS)
      expect(heard.texts.slice(-2)).toEqual([room, user])
    }
  })
})

describe('while a server comes back to Redis', { timeout: TIMEOUT_MS }, () => {
  it('a client may be subscribed, and hears everything from then on', async () => {
    const two = await startTwo()
    const { backend } = two
    const { connId, client } = await enter(two, 'ann')
    await atEachStep(two, await countSteps(two), async (step, goOn) => {
      const channel = `new ${step}`
      await backend.call('POST /subscribe', { conn_id: connId, channels: [channel] })
      await backend.say(channel, `first ${step}`)
      await goOn()
      await backend.say(channel, `then ${step}`)
      await client.heard(`then ${step}`, PATIENCE_MS)
      expect(client.texts.slice(-2)).toEqual([`first ${step}`, `then ${step}`])
    })
  })

  it('a client may be unsubscribed, and hears nothing from then on', async () => {
    const two = await startTwo()
    const { backend } = two
    const steps = await countSteps(two)
    const channels = Array.from({ length: steps }, (_, step) => `old ${step}`)
    const { connId, client } = await enter(two, 'ann', ...channels)
    await atEachStep(two, steps, async (step, goOn) => {
      await backend.call('POST /unsubscribe', { conn_id: connId, channels: [channels[step]] })
      await backend.say(channels[step] ?? '', `not for ann ${step}`)
      await goOn()
      await backend.say(channels[step] ?? '', `nor this ${step}`)
      await backend.say('room', `for ann ${step}`)
      await client.heard(`for ann ${step}`, PATIENCE_MS)
    })
    expect(client.texts.filter((text) => text?.startsWith('n'))).toEqual([])
  })

  it('a connection may be ended, and its client is told so', async () => {
    const two = await startTwo()
    const { backend } = two
    const steps = await countSteps(two)
    const clients: Awaited<ReturnType<typeof enter>>[] = []
    for (let step = 0; step < steps; step++) clients.push(await enter(two, `user ${step}`))
    await atEachStep(two, steps, async (step, goOn) => {
      const ended = clients[step]
      await backend.call('POST /disconnect', { conn_id: ended?.connId })
      await goOn()
      await until(() => ended?.client.ending?.code === 1000, `end ${step}`, PATIENCE_MS)
    })
  })

  it('everything is told in the order in which it was said, gaps too, and as live to those who are there', async () => {
    const two = await startTwo()
    const { backend } = two
    await backend.call('POST /channel_config', { unkept: { store_frames: false } })
    const { client } = await enter(two, 'ann', 'kept', 'unkept')
    await atEachStep(two, await countSteps(two), async (step, goOn) => {
      for (const channel of ['unkept', 'kept', 'unkept', 'kept', 'unkept'])
        await backend.say(channel, `${channel} ${step}`)
      await goOn()
      await backend.say('room', `end ${step}`)
      await client.heard(`end ${step}`, PATIENCE_MS)
      expect(client.texts.filter((text) => text === `kept ${step}`)).toHaveLength(2)
    })
    const numbers = client.events.map(({ id }) => Number(id.split('-')[1]))
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other))
    const messages = client.of('message')
    expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length)
    // The first may have been posted before the client was connected.
    expect(messages.slice(1).filter(({ catchup }) => catchup)).toEqual([])
    expect(client.of('gap').length).toBeGreaterThan(0)
  })

  it('a guest may begin to listen, and hears everything as soon as it is told that it does', async () => {
    const two = await startTwo()
    const { backend, far } = two
    const { guests } = far.app.hub
    await atEachStep(two, await countSteps(two), async (step, goOn) => {
      const channel = `tailed ${step}`
      await backend.connect('ann', [channel])
      const sink = new ArraySink()
      const guest = guests.open(userName(`guest ${step}`), sink)
      const listening = guests.listen(guest, [channelName(channel)])
      await goOn()
      await listening
      await backend.say(channel, `then ${step}`)
      const texts = () => textsOf(sink.events.map((body) => ({ body: body as never })))
      await until(() => texts().includes(`then ${step}`), `then ${step}`, PATIENCE_MS)
    })
  })
})

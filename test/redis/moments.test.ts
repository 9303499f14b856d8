/**
 * A server reconnects to Redis after an outage of seconds. At any moment of it, users are subscribed to a channel,
 * through this server or another one.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, pause, send, signature, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { TestServer } from '../helpers/server.ts'

const STEP_MS = 20
/** Around the moment when the network is back. A server retries within a little more than a second. */
const BEFORE_MS = 600
const AFTER_MS = 1_800
const MESSAGE_EVERY_MS = 10

interface Subscriber {
  readonly connId: string
  /** One after the other: a server that loses Redis during a join closes the socket, and the client reconnects. */
  readonly sockets: Listener[]
  readonly atMs: number
  /** Numbers of messages: the last one posted before the request, and the first one posted after the answer. */
  before: number
  after: number
}

/** Reconnects with its cursor as often as it is closed. */
async function hearTheLast(server: TestServer, { connId, sockets }: Subscriber): Promise<void> {
  for (;;) {
    const socket = sockets.at(-1) as Listener
    const isDone = () => socket.texts.includes('last') || socket.ending !== undefined
    await until(isDone, `${connId} to hear the last message`)
    if (!socket.ending || socket.texts.includes('last')) return
    expect(socket.ending.code).toBe(4013)
    const cursor = sockets.flatMap(({ events }) => events).at(-1)?.id
    sockets.push(await Listener.open(server, connId, cursor === undefined ? {} : { cursor }))
  }
}

describe('whoever is subscribed at any moment of the way back', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  async function startTwo() {
    const proxy = await TcpProxy.start(redis.port)
    const shared = { redis_prefix: freshPrefix(), redis_timeout: 1, channel_frames: 10_000 }
    const urls = [`redis://127.0.0.1:${proxy.port}`, redis.url]
    const servers = await Promise.all(
      urls.map((redis_url) => startServer({ ...shared, redis_url })),
    )
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.close()))
      await proxy.stop()
    })
    const [cutOff, other] = servers as [TestServer, TestServer]
    return { proxy, cutOff, other }
  }

  it.each([
    ['the other server', 'black hole', 1_500],
    ['the other server', 'black hole', 4_000],
    ['the other server', 'cut', 1_500],
    ['its own server', 'black hole', 1_500],
  ] as const)(
    'by way of %s, after a %s of several seconds, hears the rest (%i ms)',
    async (by, kind, lengthMs) => {
      const { proxy, cutOff, other } = await startTwo()
      const backend = new Backend(other)
      await backend.connect('host', ['room'])
      const subscribers: Subscriber[] = []
      for (let atMs = -BEFORE_MS; atMs <= AFTER_MS; atMs += STEP_MS) {
        const connId = await backend.connect(`user ${atMs}`)
        const socket = await Listener.open(cutOff, connId)
        subscribers.push({ connId, sockets: [socket], atMs, before: 0, after: Infinity })
      }

      // The store knows only after the handshake that a connection is open.
      const pm_users = subscribers.map(({ atMs }) => `user ${atMs}`)
      await backend.call('POST /message', [{ user: 'host', pm_users, message: { text: '0' } }])
      await Promise.all(subscribers.map(async ({ sockets }) => sockets[0]?.heard('0')))

      let [asked, answered, isOver] = [0, 0, false]
      const speaking = (async () => {
        while (!isOver) {
          await backend.say('room', String(++asked))
          answered = asked
          await pause(MESSAGE_EVERY_MS)
        }
      })()
      async function subscribe(subscriber: Subscriber): Promise<void> {
        const json = { conn_id: subscriber.connId, channels: ['room'] }
        const server = by === 'its own server' ? cutOff : other
        const headers = signature()
        subscriber.before = answered
        // Its own server answers 503 until it is back.
        while ((await send(server, 'POST /subscribe', { json, headers })).status !== 200)
          await pause(STEP_MS)
        subscriber.after = asked + 1
      }

      if (kind === 'cut') proxy.cut()
      else proxy.silence()
      await pause(lengthMs - BEFORE_MS)
      await Promise.all([
        pause(BEFORE_MS).then(() => proxy.heal()),
        ...subscribers.map(async (subscriber) => {
          await pause(subscriber.atMs + BEFORE_MS)
          await subscribe(subscriber)
        }),
      ])
      isOver = true
      await speaking
      await backend.say('room', 'last')
      await Promise.all(subscribers.map((subscriber) => hearTheLast(cutOff, subscriber)))
      const wrong = subscribers.flatMap(({ sockets, atMs, before, after }) => {
        const told = sockets
          .flatMap(({ texts }) => texts.map(Number))
          .filter((number) => number > 0)
        const missed = range(after, asked).filter((number) => !told.includes(number))
        const early = told.filter((number) => number <= before)
        const jumps = told.filter(
          (number, index) => index > 0 && number !== (told[index - 1] ?? 0) + 1,
        )
        const gaps = sockets.flatMap((socket) => socket.of('gap')).length
        const isFine = missed.length + early.length + jumps.length + gaps === 0
        return isFine ? [] : [{ atMs, missed, early, jumps, gaps }]
      })
      expect(wrong).toEqual([])
      expect(asked).toBeGreaterThan(subscribers.length / 4)
    },
  )
})

const range = (first: number, last: number): number[] =>
  first > last ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index)

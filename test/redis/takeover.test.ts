/** A client that connects to another server because the one that held its connection is dead, or cut off from Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { endAll } from '../helpers/ending.ts'
import { EventStreamListener } from '../helpers/event-stream.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import { numberOf } from '../property/transcript.ts'
import type { Address } from '../helpers/http.ts'
import type { RedisClient } from '../helpers/redis.ts'
import type { TestServer } from '../helpers/server.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'

const PATIENCE_MS = 30_000

let redis: RedisServer
let admin: RedisClient
const cleanup: (() => Promise<void>)[] = []

beforeAll(async () => {
  redis = await RedisServer.start()
  admin = await redis.client()
})
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean()
})
afterAll(async () => {
  admin.destroy()
  await endAll()
})

interface Doomed {
  readonly doomed: ServerProcess
  readonly other: ServerProcess
  readonly backend: Backend
  /** Whether the leases of both servers are valid, so that others consider them alive. */
  readonly isLeaseValid: () => Promise<boolean>
  /** Whether Redis has noticed that one of the servers is gone. */
  readonly isMissed: () => Promise<boolean>
}

async function startDoomed(): Promise<Doomed> {
  const redis_prefix = freshPrefix()
  const settings = { redis_url: redis.url, redis_prefix, heartbeat_interval: 1 }
  const [doomed, other] = await Promise.all([
    ServerProcess.start({ settings }),
    ServerProcess.start({ settings }),
  ])
  const isLeaseValid = async (): Promise<boolean> => {
    const [seconds] = (await admin.sendCommand(['TIME'])) as unknown as [string]
    const leases = await admin.zRangeWithScores(`{${redis_prefix}}:servers`, 0, -1)
    return leases.length === 2 && leases.every(({ score }) => score > Number(seconds) * 1000)
  }
  const isMissed = async (): Promise<boolean> => {
    const pattern = `{${redis_prefix}}*:s:*`
    const command = ['PUBSUB', 'SHARDCHANNELS', pattern]
    return ((await admin.sendCommand(command)) as unknown as string[]).length === 1
  }
  expect(await isMissed()).toBe(false)
  return { doomed, other, backend: new Backend(other), isLeaseValid, isMissed }
}

/** Opens a socket on the server, which then dies. The socket misses later messages. */
async function loseServer({ doomed, backend, isMissed }: Doomed) {
  const connId = await backend.connect('ann', ['room', 'hall'])
  const lost = await Listener.open(doomed, connId)
  await backend.say('room', 'before')
  await lost.heard('before')
  doomed.signal('SIGKILL')
  await lost.closed
  // Until then, a poll waits for the server that has the stream.
  await until(isMissed, 'Redis to notice')
  await backend.say('room', 'missed')
  return { connId, cursor: lost.events.at(-1)?.id ?? '' }
}

const textsIn = (body: unknown): unknown[] =>
  (body as ReceivedEvent[]).map(({ message }) => message?.text)

describe('a client whose server was killed', { timeout: 90_000 }, () => {
  it('is polled at another one without waiting for the lease of the dead', async () => {
    const scene = await startDoomed()
    const { connId, cursor } = await loseServer(scene)
    const { body } = await send(scene.other, `GET /listen?conn_id=${connId}&cursor=${cursor}`)
    expect(textsIn(body)).toEqual(['missed'])
    expect(await scene.isLeaseValid()).toBe(true)
    await scene.backend.call('POST /unsubscribe', { conn_id: connId, channels: ['room'] })
    await scene.backend.say('hall', 'later')
    const next = await send(scene.other, `GET /listen?conn_id=${connId}`)
    expect(textsIn(next.body)).toEqual(['later'])
  })

  it('loses nothing of a channel that it is taken out of after it came back', async () => {
    const scene = await startDoomed()
    const { connId, cursor } = await loseServer(scene)
    const back = await Listener.open(scene.other, connId, { cursor })
    await until(() => back.frames.length > 0, 'a frame')
    await scene.backend.call('POST /unsubscribe', { conn_id: connId, channels: ['room'] })
    await scene.backend.say('hall', 'later')
    await back.heard('later')
    expect(back.texts).toEqual(['missed', 'later'])
    expect(back.of('gap')).toEqual([])
  })
})

/** Servers that can be cut off separately. */
async function startCuttable(count: number) {
  const redis_prefix = freshPrefix()
  const proxies: TcpProxy[] = []
  const servers: TestServer[] = []
  for (let index = 0; index < count; index++) {
    const proxy = await TcpProxy.start(redis.port)
    cleanup.push(() => proxy.stop())
    const server = await startServer({
      redis_url: `redis://127.0.0.1:${proxy.port}`,
      redis_prefix,
      redis_timeout: 2,
      channel_frames: 10_000,
      wake_connections_after: 0.2,
    })
    cleanup.push(() => server.close())
    proxies.push(proxy)
    servers.push(server)
  }
  const near = await startServer({ redis_url: redis.url, redis_prefix })
  cleanup.push(() => near.close())
  return { proxies, servers, near, backend: new Backend(near) }
}

const isUp = async (server: Address): Promise<boolean> =>
  (await send(server, 'GET /health')).status === 200

describe('a client whose server has lost Redis', { timeout: 90_000 }, () => {
  it.each(['a socket', 'a poll', 'an event stream'])(
    'is taken over at once by %s elsewhere',
    async (what) => {
      const { proxies, servers, near, backend } = await startCuttable(1)
      const [proxy, far] = [proxies[0] as TcpProxy, servers[0] as TestServer]
      const connId = await backend.connect('ann', ['room'])
      const old = await Listener.open(far, connId)
      await backend.say('room', 'before')
      await old.heard('before')
      const cursor = old.events.at(-1)?.id ?? ''
      proxy.cut()
      await until(async () => !(await isUp(far)), 'the server to notice')
      await backend.say('room', 'missed')
      if (what === 'a poll') {
        const { body } = await send(near, `GET /listen?conn_id=${connId}&cursor=${cursor}`)
        expect(textsIn(body)).toEqual(['missed'])
      }
      const back = await (what === 'an event stream'
        ? EventStreamListener.open(near, connId, { lastEventId: cursor })
        : Listener.open(near, connId, { cursor }))
      await back.heard('missed')
      expect(old.ending).toBeUndefined()

      proxy.heal()
      expect((await old.closed).code).toBe(CLOSE.replaced.code)
      await until(() => isUp(far), 'the server to find back')
      await backend.say('room', 'later')
      await back.heard('later')
      expect(back.texts).toEqual(['missed', 'later'])
      expect(old.texts).toEqual(['before'])
      expect(back instanceof Listener ? back.ending !== undefined : back.isClosed).toBe(false)
      expect((await backend.info()).channels['room']?.total_connections).toBe(1)
    },
  )

  it('is taken over while that one comes back, which finds out', async () => {
    const { proxies, servers, near, backend } = await startCuttable(1)
    const [proxy, far] = [proxies[0] as TcpProxy, servers[0] as TestServer]
    const connId = await backend.connect('ann', ['room'])
    const old = await Listener.open(far, connId)
    await until(() => old.frames.length > 0, 'a frame')
    proxy.holdBack('ssubscribe')
    proxy.heal() // cuts open connections, and allows new ones
    await until(() => proxy.isHolding, 'the server to come back')
    const back = await Listener.open(near, connId)
    await backend.say('room', 'here')
    await back.heard('here')
    proxy.release()
    expect((await old.closed).code).toBe(CLOSE.replaced.code)
    await backend.say('room', 'later')
    await back.heard('later')
    expect(back.texts).toEqual(['here', 'later'])
    expect(old.texts).toEqual([])
  })

  it('has one socket in the end, whatever it opens while servers lose Redis', async () => {
    const { proxies, servers, near, backend } = await startCuttable(2)
    const connId = await backend.connect('ann', ['room'])
    let [posted, isDone] = [0, false]
    const posting = (async () => {
      while (!isDone) await backend.say('room', String(posted++))
    })()
    const sockets: Listener[] = []
    const elsewhere: Listener[] = []
    for (let round = 0; round < 24; round++) {
      proxies[round % 2]?.heal() // cuts open connections, and allows new ones
      // In rotation: the server that reconnects, the other one, and the one that stays connected.
      const server = [servers[round % 2], servers[(round + 1) % 2], near][round % 3] as TestServer
      const cursor = sockets.flatMap(({ events }) => events).at(-1)?.id
      const socket = await Listener.open(server, connId, cursor === undefined ? {} : { cursor })
      sockets.push(socket)
      if (server !== near) elsewhere.push(socket)
      // A socket that was opened while its server had no Redis is closed, and the client reconnects.
      await until(
        () => socket.texts.length > 0 || socket.ending !== undefined,
        'what becomes of it',
      )
    }
    const comeAgain = async (): Promise<Listener> => {
      const cursor = sockets.flatMap(({ events }) => events).at(-1)?.id ?? ''
      const socket = await Listener.open(near, connId, { cursor })
      sockets.push(socket)
      return socket
    }
    const last = await comeAgain()
    isDone = true
    await posting
    await Promise.all(servers.map((server) => until(() => isUp(server), 'the servers to be back')))
    await backend.say('room', 'last')
    await last.heard('last', PATIENCE_MS)
    // Of the same server the one before it may stay open, and hears nothing.
    await Promise.all(elsewhere.map(({ closed }) => closed))
    expect(last.ending).toBeUndefined()
    expect(sockets.flatMap((socket) => socket.of('gap'))).toEqual([])
    const numbers = new Map(
      sockets.flatMap((socket) =>
        socket.of('message').map((event) => [numberOf(event), event.message?.text] as const),
      ),
    )
    const inOrder = [...numbers].toSorted(([one], [other]) => one - other)
    const texts = inOrder.map(([, text]) => text)
    expect(texts).toEqual([...Array.from({ length: posted }, (_, at) => String(at)), 'last'])
    for (const socket of sockets) {
      const own = socket.of('message').map(numberOf)
      expect(own).toEqual([...new Set(own)].toSorted((one, other) => one - other))
    }
  })
})

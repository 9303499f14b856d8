/** Clients that come back by themselves, as EventSource does, while servers and Redis come and go. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { EventStreamListener, ReturningListener } from '../helpers/event-stream.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Servers } from '../helpers/servers.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'

const PATIENCE_MS = 30_000
const FRAMES = { channel_frames: 10_000 }

describe('a client that comes back by itself', { timeout: 120_000 }, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  /** Posts numbers, each until it is accepted, until it is stopped. Resolves with their texts. */
  function postNumbers(backend: Backend) {
    let [count, isDone] = [0, false]
    const work = (async () => {
      while (!isDone) {
        const json = [{ user: 'backend', channel: 'room', message: { text: String(count) } }]
        const headers = { 'idempotency-key': `number ${count}`.replace(' ', '-') }
        const isPosted = async () =>
          await backend.send('POST /message', { json, headers }).then(
            ({ status }) => status === 200,
            () => false,
          )
        await until(isPosted, 'the message to be accepted', PATIENCE_MS)
        count++
      }
    })()
    return async (): Promise<string[]> => {
      isDone = true
      await work
      return Array.from({ length: count }, (_, number) => String(number))
    }
  }

  /** Expects that the client gets everything once and in order. */
  async function expectAll(
    listener: ReturningListener,
    backend: Backend,
    stop: () => Promise<string[]>,
  ): Promise<void> {
    const posted = await stop()
    await backend.say('room', 'last')
    await until(
      () => listener.texts.includes('last') || listener.givenUp !== undefined,
      'the last message',
      PATIENCE_MS,
    )
    expect(listener.givenUp).toBeUndefined()
    expect(listener.texts).toEqual([...posted, 'last'])
    expect(listener.of('gap')).toEqual([])
    listener.destroy()
  }

  it('goes from server to server at the ends of its streams, and misses nothing', async () => {
    const servers = await Servers.start(redis, 3, { ...FRAMES, gc_conns_after: 1 })
    onTestFinished(() => servers.close())
    const backend = new Backend(servers)
    const config = { channel_configs: { room: { notify_presence: true } } }
    const watcher = await Listener.open(
      servers.next(),
      await backend.connect('eve', ['room'], config),
    )
    const listener = await ReturningListener.open(
      () => servers.next(),
      await backend.connect('ann', ['room']),
    )
    const stop = postNumbers(backend)
    await until(() => listener.opened > 6, 'the client to come back', PATIENCE_MS)
    await expectAll(listener, backend, stop)
    expect(watcher.presenceOf('ann')).toEqual(['joined'])
    expect(watcher.ending).toBeUndefined()
  })

  it('goes from server to server when its connection breaks', async () => {
    const servers = await Servers.start(redis, 2, FRAMES)
    onTestFinished(() => servers.close())
    const backend = new Backend(servers)
    const listener = await ReturningListener.open(
      () => servers.next(),
      await backend.connect('ann', ['room']),
    )
    const stop = postNumbers(backend)
    for (let round = 1; round <= 6; round++) {
      const count = listener.events.length
      await until(() => listener.events.length > count, 'an event')
      await listener.breakOff()
      await until(() => listener.opened > round, 'the client to come back', PATIENCE_MS)
    }
    await expectAll(listener, backend, stop)
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'waits for a server that is started again after %s',
    async (signal) => {
      const port = await freePort()
      const settings = { redis_url: redis.url, redis_prefix: freshPrefix(), ...FRAMES }
      const start = () => ServerProcess.start({ settings, args: ['--port', String(port)] })
      const first = await start()
      const backend = new Backend(first)
      const listener = await ReturningListener.open(first, await backend.connect('ann', ['room']))
      const stop = postNumbers(backend)
      await until(() => listener.events.length > 10, 'some events')
      first.signal(signal)
      await within(first.exited, 'the server to end')
      await start()
      await until(() => listener.opened > 1, 'the client to come back', PATIENCE_MS)
      await expectAll(listener, backend, stop)
    },
  )

  it('is asked to come back later, instead of refused, while a server has no Redis', async () => {
    const proxy = await TcpProxy.start(redis.port)
    const server = await startServer({
      ...FRAMES,
      redis_url: `redis://127.0.0.1:${proxy.port}`,
      redis_prefix: freshPrefix(),
      redis_timeout: 1,
    })
    onTestFinished(async () => {
      await server.close()
      await proxy.stop()
    })
    const backend = new Backend(server)
    const connId = await backend.connect('ann', ['room'])
    const listener = await ReturningListener.open(server, connId)
    const stop = postNumbers(backend)
    await until(() => listener.events.length > 10, 'some events')
    proxy.cut()
    await until(async () => (await send(server, 'GET /health')).status === 503, 'the outage')
    await listener.breakOff()
    const answer = await send(server, `GET /sse?conn_id=${connId}`)
    expect(answer.status).toBe(200)
    expect(answer.headers['x-channelstream-error']).toBe('STORE_AWAY')
    expect(answer.headers['content-type']).toBe('text/event-stream')
    expect(answer.text).toMatch(/^: The store cannot be reached. Try again.\nretry: \d{3,4}\n\n$/)
    proxy.heal()
    await until(() => listener.opened > 1, 'the client to come back', PATIENCE_MS)
    await expectAll(listener, backend, stop)
  })

  it('has one stream in the end, and the others are told so, wherever they are', async () => {
    const servers = await Servers.start(redis, 3, { ...FRAMES, wake_connections_after: 0.2 })
    onTestFinished(() => servers.close())
    const backend = new Backend(servers)
    const connId = await backend.connect('ann', ['room'])
    const streams: EventStreamListener[] = []
    for (const server of servers.all) {
      streams.push(await EventStreamListener.open(server, connId))
      await backend.say('room', `to ${streams.length}`)
      await streams.at(-1)?.heard(`to ${streams.length}`)
    }
    const [first, second, last] = streams
    for (const older of [first, second]) {
      await within(older?.closed ?? Promise.reject(new Error('no stream')), 'the end')
      expect(older?.said.at(-1)).toMatchObject({ type: 'close', code: 4509 })
      expect(older?.isComplete).toBe(true)
    }
    expect(streams.flatMap(({ texts }) => texts)).toEqual(['to 1', 'to 2', 'to 3'])
    const poll = await send(servers.all[0] as Address, `GET /listen?conn_id=${connId}`)
    expect(poll.text).toBe('[]')
    await backend.say('room', 'still there')
    await last?.heard('still there')
  })

  it('ends with its server, which hands the connection over', async () => {
    const servers = await Servers.start(redis, 2, FRAMES)
    onTestFinished(() => servers.close())
    const [first, second] = servers.all as readonly Address[] as [Address, Address]
    const backend = new Backend(second)
    const connId = await backend.connect('ann', ['room'])
    const stream = await EventStreamListener.open(first, connId)
    await backend.say('room', 'before')
    await stream.heard('before')
    await servers.all[0]?.close()
    await within(stream.closed, 'the end')
    expect(stream.said.at(-1)).toMatchObject({ type: 'close', code: 1012 })
    await backend.say('room', 'missed')
    const { lastEventId } = stream
    const back = await EventStreamListener.open(second, connId, { lastEventId })
    await back.heard('missed')
    expect(back.texts).toEqual(['missed'])
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, until, within } from '../../helpers/http.ts'
import { ServerProcess, killProcesses, refuseCrashes } from '../../helpers/process.ts'
import { startServer } from '../../helpers/server.ts'
import { TcpProxy } from '../../helpers/tcp-proxy.ts'
import { Network } from './network.ts'
import { PageBackend, only, openPage } from './page-backend.ts'
import type { ConnectionOptions } from '../../../frontend/client/index.ts'
import type { TestServer } from '../../helpers/server.ts'

refuseCrashes()
afterAll(killProcesses)

let server: TestServer
beforeAll(async () => {
  server = await startServer({
    heartbeat_interval: 0.1,
    wake_connections_after: 0.5,
    poll_gather: 0.02,
  })
  return () => server.close()
})

/** A connected page behind a network that can fail. */
async function pageBehindNetwork(
  options: ConnectionOptions | ((network: Network) => ConnectionOptions) = {},
) {
  const network = await Network.to(server)
  const backend = await PageBackend.start(server)
  const page = openPage(backend, network, {
    channels: [channelOf()],
    ...(typeof options === 'function' ? options(network) : options),
  })
  await within(page.connection.connect(), 'the connection')
  const [channel = ''] = page.connection.channels
  const say = (text: string): Promise<void> => new Backend(server).say(channel, text)
  return { ...page, network, backend, channel, say }
}

let channels = 0
const channelOf = (): string => `channel ${++channels}`

describe('a page whose network breaks', () => {
  it('comes back to the same connection and has every message once, in order', async () => {
    const page = await pageBehindNetwork()
    const { connectionId } = page.connection
    const said: string[] = []
    for (let n = 0; n < 40; n++) {
      if (n % 8 === 3) page.network.cut()
      said.push(`message ${n}`)
      await page.say(`message ${n}`)
    }
    await until(() => page.texts().length >= said.length, 'all messages')
    expect(page.texts()).toEqual(said)
    expect(page.gaps()).toBe(0)
    expect(page.connection.connectionId).toBe(connectionId)
    expect(page.backend.connects).toBe(1)
  })

  it('names the last event it had', async () => {
    const page = await pageBehindNetwork()
    await page.say('one')
    await until(() => page.texts().length === 1, 'the message')
    page.network.cut()
    await until(() => page.network.requests.length > 1, 'another handshake')
    expect(page.network.requests[1]).toContain(`cursor=${page.events.at(-1)?.id}`)
  })

  it('is told of nothing when it opens, though it asks where it is', async () => {
    const page = await pageBehindNetwork()
    await page.say('one')
    await until(() => page.texts().length === 1, 'the message')
    expect(page.events).toHaveLength(1)
  })

  it('misses nothing either if the very first event is lost on its way', async () => {
    const page = await pageBehindNetwork()
    await until(() => page.network.answers > 1, 'the first frame, which says where the page is')
    page.network.isSilent = true
    const answers = page.network.answers
    await page.say('lost at first')
    await until(() => page.network.answers > answers, 'the message to be written')
    page.network.cut()
    page.network.isSilent = false
    await until(() => page.texts().length === 1, 'the message')
    expect(page.events).toMatchObject([{ type: 'message', catchup: true }])
  })

  it.each(['sse', 'longpoll'] as const)(
    'is told of a gap if the very first answer by %s is lost on its way',
    async (transport) => {
      const channel = channelOf()
      const backend = await PageBackend.start(server)
      let isLost = false
      const losing = async (url: string, init: RequestInit): Promise<Response> => {
        const isFirst = !isLost && new URL(url).searchParams.has('conn_id')
        if (isFirst) await new Backend(server).say(channel, 'lost')
        const response = await fetch(url, init)
        if (!isFirst) return response
        isLost = true
        const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
        for (let read = ''; !read.includes('"lost"');) read += (await reader?.read())?.value ?? ''
        await reader?.cancel()
        throw new TypeError('the network broke')
      }
      const page = openPage(backend, server, {
        channels: [channel],
        fetch: losing,
        ...only(transport, server),
      })
      await page.connection.connect().catch(() => {}) // the first failure
      await until(() => page.gaps() === 1, 'the gap')
      expect(page.events).toMatchObject([{ type: 'gap', channels: [channel] }])
    },
  )

  it('is told of a gap when the server no longer keeps what it missed', async () => {
    const page = await pageBehindNetwork()
    await page.say('before')
    await until(() => page.texts().length === 1, 'the message')
    page.network.blocked = /./
    page.network.cut()
    for (let n = 0; n < 120; n++) await page.say(`missed ${n}`)
    page.network.blocked = undefined
    await until(() => page.texts().includes('missed 119'), 'the last message')
    expect(page.events[1]).toMatchObject({ type: 'gap', channels: [page.channel] })
    expect(page.texts()).toEqual([
      'before',
      ...Array.from({ length: 100 }, (_, n) => `missed ${n + 20}`),
    ])
  })

  it('notices a network that is silent, and does not end its connection by that', async () => {
    const page = await pageBehindNetwork({ silenceTimeout: 400 })
    const { connectionId } = page.connection
    await page.say('one')
    await until(() => page.texts().length === 1, 'the message')
    page.network.isSilent = true
    await page.say('two')
    await until(() => page.statuses.includes('waiting'), 'the silence to be noticed')
    page.network.isSilent = false
    await until(() => page.texts().length === 2, 'the second message')
    expect(page.texts()).toEqual(['one', 'two'])
    expect([page.connection.connectionId, page.backend.connects]).toEqual([connectionId, 1])
  })

  it.each([
    ['longpoll', '/listen'],
    ['sse', '/sse'],
  ] as const)('has the same promises by %s', async (transport, path) => {
    const page = await pageBehindNetwork((network) => only(transport, network))
    const said: string[] = []
    for (let n = 0; n < 20; n++) {
      if (n % 7 === 3) page.network.cut()
      said.push(`message ${n}`)
      await page.say(`message ${n}`)
    }
    await until(() => page.texts().length >= said.length, 'all messages')
    expect(page.texts()).toEqual(said)
    expect(page.gaps()).toBe(0)
    expect(page.connection.transport).toBe(transport)
    expect(page.connection.websocket).toBeNull()
    expect(page.backend.connects).toBe(1)
    expect(page.network.requests.every((line) => line.startsWith(`GET ${path}?conn_id=`))).toBe(
      true,
    )
  })

  it('hears all of a stream that ends and is opened again, and notices nothing', async () => {
    // Streams end before this time is over.
    const short = await startServer({ gc_conns_after: 0.5, heartbeat_interval: 0.1 })
    try {
      const network = await Network.to(short)
      const backend = await PageBackend.start(short)
      const page = openPage(backend, network, only('sse', network))
      await page.connection.connect()
      const said: string[] = []
      const streams = (): number => network.requests.length
      while (streams() < 5) {
        said.push(`message ${said.length}`)
        await new Backend(short).say('lobby', said.at(-1) ?? '')
        await until(() => page.texts().length >= said.length, 'the message')
      }
      expect(page.texts()).toEqual(said)
      expect([page.statuses, backend.connects]).toEqual([['connecting', 'sse'], 1])
    } finally {
      await short.close()
    }
  })
})

describe('a page on a slow line', () => {
  /** All that was missed takes six seconds, more than twice as long as the page allows silence. */
  const BYTES_PER_SECOND = 200_000
  const SILENCE_MS = 2_500

  it.each(['longpoll', 'sse', 'websocket'] as const)(
    'has by %s what takes longer than the server may be silent',
    { timeout: 60_000 },
    async (transport) => {
      const slow = await startServer({
        heartbeat_interval: 0.2,
        wake_connections_after: 0.5,
        gc_conns_after: 5, // how long a slow machine may take between two streams
        resume_window: 10,
        channel_frames: 2_000,
      })
      const line = await TcpProxy.start(slow.port)
      try {
        const backend = await PageBackend.start(slow)
        const address = { host: '127.0.0.1', port: line.port }
        const page = openPage(backend, address, {
          ...only(transport, address),
          silenceTimeout: SILENCE_MS,
        })
        await page.connection.connect()
        await new Backend(slow).say('lobby', 'first')
        await until(() => page.texts().length === 1, 'the first message')
        line.cut()
        await until(() => page.statuses.at(-1) === 'waiting', 'the break')
        const texts = Array.from({ length: 120 }, (_, n) => `${n} ${'x'.repeat(10_000)}`)
        await new Backend(slow).sayAll('lobby', texts)
        line.bytesPerSecond = BYTES_PER_SECOND
        line.heal()
        void page.connection.connect() // ends the backoff
        await until(() => page.texts().length > texts.length, 'all that was missed', 45_000)
        expect(page.texts()).toEqual(['first', ...texts])
        expect([page.gaps(), backend.connects]).toEqual([0, 1])
      } finally {
        await line.stop()
        await slow.close()
      }
    },
  )
})

describe('a page whose server is rarely heard of', () => {
  it.each(['longpoll', 'sse', 'websocket'] as const)(
    'stays connected by %s, since it knows the intervals',
    async (transport) => {
      const quiet = await startServer({ heartbeat_interval: 1, wake_connections_after: 1 })
      try {
        const backend = await PageBackend.start(quiet)
        const page = openPage(backend, quiet, { ...only(transport, quiet), silenceTimeout: 300 })
        const heartbeats: unknown[] = []
        page.connection.listenMessageCallback = (events) => void heartbeats.push(events)
        await page.connection.connect()
        const started = performance.now()
        await until(() => performance.now() - started > 2_500, 'more than two intervals')
        expect([page.statuses, backend.connects]).toEqual([['connecting', transport], 1])
        if (transport !== 'sse') expect(heartbeats.length).toBeGreaterThan(0)
      } finally {
        await quiet.close()
      }
    },
  )
})

describe('a page that WebSockets do not reach', () => {
  it('polls, and keeps its connection', async () => {
    const network = await Network.to(server)
    network.blocked = /^GET \/ws/
    const backend = await PageBackend.start(server)
    const page = openPage(backend, network, { channels: [channelOf()] })
    await page.connection.connect()
    expect(page.connection.transport).toBe('longpoll')
    await new Backend(server).say(page.connection.channels[0] ?? '', 'hello')
    await until(() => page.texts().length === 1, 'the message')
    expect(page.statuses).toEqual(['connecting', 'longpoll'])
    expect(backend.connects).toBe(1)
    expect(network.requests.filter((line) => line.startsWith('GET /ws'))).toHaveLength(1)
  })
})

describe('a page whose server is killed and started again', () => {
  it('gets a new connection from its backend and is told of a gap', async () => {
    const settings = { heartbeat_interval: 0.1 }
    const first = await ServerProcess.start({ settings })
    const backend = await PageBackend.start(first)
    const page = openPage(backend, first)
    await page.connection.connect()
    const { connectionId } = page.connection
    await new Backend(first).say('lobby', 'one')
    await until(() => page.texts().length === 1, 'the message')
    first.signal('SIGKILL')
    await first.exited
    const second = await ServerProcess.start({ settings, args: ['--port', String(first.port)] })
    expect(second.port).toBe(first.port)
    void page.connection.connect() // ends the backoff, which may be long
    await until(() => page.connection.connected && backend.connects > 1, 'another connection')
    expect(page.connection.connectionId).not.toBe(connectionId)
    await until(() => page.gaps() === 1, 'the gap')
    await new Backend(second).say('lobby', 'two')
    await until(() => page.texts().length === 2, 'the second message')
    expect(page.events.map(({ type }) => type)).toEqual(['message', 'gap', 'message'])
  })
})

describe('pages that share things', () => {
  it('two pages of one user have a connection each', async () => {
    const backend = await PageBackend.start(server)
    const channel = channelOf()
    const pages = [1, 2].map(() => openPage(backend, server, { channels: [channel] }))
    await Promise.all(pages.map(({ connection }) => connection.connect()))
    await new Backend(server).say(channel, 'to both')
    await until(() => pages.every((page) => page.texts().length === 1), 'the message in both')
    expect(new Set(pages.map(({ connection }) => connection.connectionId)).size).toBe(2)
  })

  it('the one whose connection was taken over twice stays away', async () => {
    const backend = await PageBackend.start(server)
    const page = openPage(backend, server, { channels: [channelOf()] })
    await page.connection.connect()
    const { connectionId } = page.connection
    const others = [1, 2].map(() => openPage(backend, server, { connectionId }))
    for (const { connection } of others) await connection.startListening()
    await until(() => page.connection.status === 'disconnected', 'the first to give up')
    expect(others.map(({ connection }) => connection.status)).toEqual(['connected', 'connected'])
    expect(backend.connects).toBe(1)
  })
})

describe('a page whose server ends its connection', () => {
  it('asks its backend for another, and gets what it missed in between', async () => {
    const backend = await PageBackend.start(server)
    const channel = channelOf()
    const page = openPage(backend, server, { channels: [channel] })
    await page.connection.connect()
    await new Backend(server).say(channel, 'one')
    await until(() => page.texts().length === 1, 'the message')
    backend.refusal = 503
    await new Backend(server).call(`GET /disconnect?conn_id=${page.connection.connectionId}`)
    await until(() => backend.connects > 1, 'a refused connect')
    await new Backend(server).say(channel, 'two')
    backend.refusal = 0
    await until(() => page.texts().length === 2, 'what was missed')
    expect(page.gaps()).toBe(0)
  })
})

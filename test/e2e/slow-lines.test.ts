/** Clients whose line carries less than what they missed, in the time that a request may take. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { TestContext } from 'vitest'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Address } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'

const MESSAGES = 50
const FILLING = 'x'.repeat(30_000)
/** All messages take six seconds, more than a client waits for one answer. */
const BYTES_PER_SECOND = 250_000
const PATIENCE_MS = 4_000
/** Documented in docs/protocol.md, and one message that may exceed it. */
const MOST_BYTES = 131_072 + 31_000

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n))

/** Begins the time again in which a client has to open the connection, on a machine on which posting takes long. */
const renew = (backend: Backend, connId: string) =>
  backend.connect('ann', ['room'], { conn_id: connId })

/** Polls as a client does that gives each poll up after a while. */
class Poller {
  readonly events: ReceivedEvent[] = []
  readonly sizes: number[] = []

  constructor(
    private readonly line: Address,
    private readonly connId: string,
    private readonly hasCursor: boolean,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  get texts(): unknown[] {
    return this.events.map(({ message }) => message?.text)
  }

  async poll(): Promise<void> {
    const cursor = this.hasCursor ? this.events.at(-1)?.id : undefined
    const query = new URLSearchParams({ conn_id: this.connId, ...(cursor && { cursor }) })
    const signal = AbortSignal.timeout(this.patienceMs)
    try {
      const answer = await send(this.line, `GET /listen?${query.toString()}`, { signal })
      this.sizes.push(answer.text.length)
      this.events.push(...(answer.body as ReceivedEvent[]))
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async pollUntil(last: string): Promise<void> {
    await until(async () => {
      await this.poll()
      return this.texts.includes(last)
    }, `message ${last}`)
  }
}

describe.concurrent('a client on a slow line', { timeout: 90_000 }, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  async function meet({ onTestFinished }: TestContext, settings: ConfigInput = {}) {
    const server = await startServer({ poll_gather: 0.05, ...settings })
    onTestFinished(() => server.close())
    const proxy = await TcpProxy.start(server.port)
    onTestFinished(() => proxy.stop())
    proxy.bytesPerSecond = BYTES_PER_SECOND
    const backend = new Backend(server)
    return { backend, proxy, line: { host: '127.0.0.1', port: proxy.port } }
  }

  describe.for([
    { store: 'memory', hasCursor: false },
    { store: 'memory', hasCursor: true },
    { store: 'redis', hasCursor: false },
    { store: 'redis', hasCursor: true },
  ])('that polls ($store, cursor: $hasCursor)', ({ store, hasCursor }) => {
    const shared = (): ConfigInput =>
      store === 'redis' ? { redis_url: redis.url, redis_prefix: freshPrefix() } : {}

    it('gets all that it missed, each once and in order, in answers that it can read', async (test) => {
      const { backend, line } = await meet(test, shared())
      const connId = await backend.connect('ann', ['room'])
      const poller = new Poller(line, connId, hasCursor)
      await backend.sayAll('room', numbers(MESSAGES), { filling: FILLING })
      await poller.pollUntil(String(MESSAGES - 1))
      expect(poller.texts).toEqual(numbers(MESSAGES))
      expect(Math.max(...poller.sizes)).toBeLessThan(MOST_BYTES)
    })

    it('gets what is said meanwhile after it, and a gap before all', async (test) => {
      const { backend, line } = await meet(test, { channel_frames: MESSAGES, ...shared() })
      const connId = await backend.connect('ann', ['room'])
      const poller = new Poller(line, connId, hasCursor)
      await backend.say('room', 'seen')
      await poller.pollUntil('seen')
      await backend.say('room', 'lost')
      await backend.sayAll('room', numbers(MESSAGES - 10), { filling: FILLING })
      await backend.sayAll('room', numbers(MESSAGES).slice(-10))
      await poller.poll()
      await poller.pollUntil(String(MESSAGES - 1))
      await backend.say('room', 'live')
      await poller.pollUntil('live')
      expect(poller.texts).toEqual(['seen', undefined, ...numbers(MESSAGES), 'live'])
      expect(poller.events[1]).toMatchObject({ type: 'gap', channels: ['room'] })
    })
  })

  it('that polls does not make each answer read everything from Redis', async (test) => {
    const own = await RedisServer.start()
    const { backend, proxy, line } = await meet(test, { redis_url: own.url })
    proxy.bytesPerSecond = Infinity
    const connId = await backend.connect('ann', ['room'])
    await backend.sayAll('room', numbers(MESSAGES), { filling: FILLING })
    const client = await own.client()
    test.onTestFinished(() => client.destroy())
    const sent = async (): Promise<number> =>
      Number(/total_net_output_bytes:(\d+)/.exec(await client.info('stats'))?.[1])
    const before = await sent()
    // What is given up is read again.
    const poller = new Poller(line, connId, true, 60_000)
    await poller.pollUntil(String(MESSAGES - 1))
    expect(poller.texts).toEqual(numbers(MESSAGES))
    const all = MESSAGES * FILLING.length
    const read = (await sent()) - before
    expect(read).toBeGreaterThan(all)
    expect(read).toBeLessThan(2 * all)
  })

  it('that polls gets a large event, however long it takes, and keeps its connection', async (test) => {
    // Several times what systems buffer, which counts as taken.
    const size = 24_000_000
    // Posting it may take some seconds, and reading it takes far more than a connection waits for its client.
    const times = { gc_conns_after: 5, wake_connections_after: 0.1 }
    const { backend, proxy, line } = await meet(test, { max_body_bytes: 2 * size, ...times })
    proxy.bytesPerSecond = size / 12
    const connId = await backend.connect('ann', ['room'])
    await backend.say('room', 'large', { filling: 'x'.repeat(size) })
    await renew(backend, connId)
    const answer = await send(line, `GET /listen?conn_id=${connId}`)
    expect((answer.body as ReceivedEvent[])[0]?.message?.text).toBe('large')
    expect(await send(line, `GET /listen?conn_id=${connId}`)).toMatchObject({
      status: 200,
      body: [],
    })
  })

  it('with a WebSocket is not taken for dead while it reads what it missed', async (test) => {
    const times = { heartbeat_interval: 0.5, gc_conns_after: 4 }
    const { backend, proxy, line } = await meet(test, times)
    const connId = await backend.connect('ann', ['room'])
    const filling = 'x'.repeat(500_000)
    for (const text of numbers(40)) {
      await backend.say('room', text, { filling })
      await renew(backend, connId)
    }
    proxy.bytesPerSecond = (40 * filling.length) / 8
    const listener = await Listener.open(line, connId)
    await until(() => listener.texts.length === 40 || listener.ending !== undefined, 'all messages')
    expect(listener.texts).toEqual(numbers(40))
  })
})

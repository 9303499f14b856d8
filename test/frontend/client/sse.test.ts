import { describe, expect, it } from 'vitest'
import { FakeSocket, fakePage, newMessage, pass, settled, useFakeTime } from './fakes.ts'
import type { ConnectionOptions, Fetch } from '../../../frontend/client/index.ts'

useFakeTime()

const STREAM = 'http://push.test/sse'
const HELLO = 'event: hello\ndata: {"type":"hello","heartbeat_interval":5}\n\n'

/** A stream that the test writes. */
class FakeStream {
  readonly #parts: Uint8Array[] = []
  #wake: () => void = () => {}
  #fault: unknown
  #isOver = false

  constructor(
    readonly url: string,
    readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', () => this.break(signal.reason))
  }

  write(text: string | Uint8Array): this {
    this.#parts.push(typeof text === 'string' ? new TextEncoder().encode(text) : text)
    this.#wake()
    return this
  }

  end(): void {
    this.#isOver = true
    this.#wake()
  }

  break(fault: unknown = new TypeError('network error')): void {
    this.#fault = fault
    this.#wake()
  }

  getReader() {
    return {
      read: async () => {
        while (this.#parts.length === 0 && !this.#isOver && this.#fault === undefined)
          await new Promise<void>((resolve) => (this.#wake = resolve))
        const value = this.#parts.shift()
        if (value) return { done: false, value }
        if (this.#fault !== undefined) throw this.#fault as Error
        return { done: true }
      },
    }
  }
}

/** A page without WebSocket. `status`: of the answers to streams. */
function streamingPage({ status = 200, ...options }: ConnectionOptions & { status?: number } = {}) {
  const streams: FakeStream[] = []
  const polls: string[] = []
  let connections = 0
  const settings = { status }
  const fetch: Fetch = (url, { signal }) => {
    const answer = (body: unknown) =>
      Promise.resolve({
        ok: true,
        status: 200,
        text: () => Promise.resolve(JSON.stringify(body)),
      })
    if (url.includes('/connect')) return answer({ conn_id: `conn-${++connections}` })
    if (url.includes('/listen')) {
      polls.push(url)
      return answer([])
    }
    const stream = new FakeStream(url, signal)
    streams.push(stream)
    const ok = settings.status === 200
    return Promise.resolve({
      ok,
      status: settings.status,
      body: ok ? stream : null,
      text: () => Promise.resolve(''),
    })
  }
  const { connection } = fakePage({
    fetch,
    noWebsocket: true,
    sseUrl: STREAM,
    longPollUrl: 'http://push.test/listen',
    ...options,
  })
  const texts: unknown[] = []
  const statuses: string[] = []
  connection.on('message', ({ message }) => texts.push(message?.['text']))
  connection.on('status', ({ status, transport }) => statuses.push(transport ?? status))
  const last = (): FakeStream => streams.at(-1) as FakeStream
  return { connection, streams, polls, texts, statuses, settings, last }
}

const event = (text: string, id: string): string =>
  `id: ${id}\ndata: ${JSON.stringify([newMessage(text, id)])}\n\n`

describe('a page that WebSockets do not reach', () => {
  it('is streamed to, and is connected once the server has said hello', async () => {
    const { connection, last, texts, statuses } = streamingPage()
    void connection.connect()
    await settled()
    expect(connection.status).toBe('connecting')
    last().write(`retry: 100\n\n${HELLO}`)
    await settled()
    expect(connection.transport).toBe('sse')
    last().write(event('one', 'e-1') + event('two', 'e-2'))
    await settled()
    expect(texts).toEqual(['one', 'two'])
    expect(statuses).toEqual(['connecting', 'sse'])
    expect(new URL(last().url).search).toBe('?conn_id=conn-1&cursor=0-0&hello=1')
    connection.closeConnection()
    expect(last().signal.aborted).toBe(true)
  })

  it('tries a WebSocket first, and falls back to a stream', async () => {
    const { connection, last, polls } = streamingPage({ noWebsocket: false })
    void connection.connect()
    await settled()
    FakeSocket.last.end(1006)
    await settled()
    last().write(HELLO)
    await settled()
    expect([connection.transport, polls]).toEqual(['sse', []])
    connection.closeConnection()
  })

  it('reads events that arrive in pieces, also in the middle of a character', async () => {
    const { connection, last, texts } = streamingPage()
    void connection.connect()
    await settled()
    const bytes = new TextEncoder().encode(HELLO + event('Grüße \u2028 🎈', 'e-1') + ':\n\n')
    for (const byte of bytes) {
      last().write(Uint8Array.of(byte))
      await settled()
    }
    expect(texts).toEqual(['Grüße \u2028 🎈'])
    connection.closeConnection()
  })

  it('goes on after the server has ended a stream, without the page noticing', async () => {
    const { connection, streams, last, texts, statuses } = streamingPage()
    void connection.connect()
    await settled()
    last()
      .write(HELLO + event('one', 'e-1') + 'retry: 200\n\n')
      .end()
    await pass(199)
    expect(streams).toHaveLength(1)
    await pass(1)
    expect(new URL(last().url).searchParams.get('cursor')).toBe('e-1')
    last().write(HELLO + event('one', 'e-1') + event('two', 'e-2'))
    await settled()
    expect(texts).toEqual(['one', 'two'])
    expect(statuses).toEqual(['connecting', 'sse'])
    connection.closeConnection()
  })

  it.each([
    [1012, 'why', 'conn-1', 1_500],
    [1012, 'why; retry-after=1.75', 'conn-1', 1_750],
    [4013, 'why', 'conn-1', 1_500],
    [4008, 'why', 'conn-1', 1_000],
    [1000, 'why', 'conn-2', 1_000],
    [1000, 'why; retry-after=1.75', 'conn-2', 1_000],
    [4509, 'why', undefined, undefined],
  ])(
    'takes the close code %i (%s) like that of a WebSocket',
    async (code, reason, expected, delay) => {
      const { connection, streams, last } = streamingPage()
      const delays: unknown[] = []
      connection.on('status', ({ retryInMs }) => retryInMs !== undefined && delays.push(retryInMs))
      void connection.connect()
      await settled()
      const close = JSON.stringify({ type: 'close', code, reason })
      last().write(`${HELLO}retry: 3000\nevent: close\ndata: ${close}\n\n`).end()
      await settled()
      expect(connection.status).toBe(expected === undefined ? 'disconnected' : 'waiting')
      expect(delays).toEqual(delay === undefined ? [] : [delay])
      await pass(2_000)
      expect(streams).toHaveLength(expected === undefined ? 1 : 2)
      if (expected !== undefined)
        expect(new URL(last().url).searchParams.get('conn_id')).toBe(expected)
      connection.closeConnection()
    },
  )

  it('waits if the server only says when to come back', async () => {
    const { connection, streams, polls, last } = streamingPage()
    connection.connect().catch(() => {})
    await settled()
    last().write(': the store does not answer\nretry: 700\n\n').end()
    await settled()
    expect([connection.status, polls.length]).toEqual(['waiting', 0])
    await pass(1_500)
    expect(streams).toHaveLength(2)
    connection.closeConnection()
  })

  it('comes back to the same connection when a stream breaks off', async () => {
    const { connection, streams, last, statuses } = streamingPage()
    void connection.connect()
    await settled()
    last()
      .write(HELLO + event('one', 'e-1'))
      .break()
    await settled()
    expect(connection.status).toBe('waiting')
    await pass(1_000)
    expect(streams).toHaveLength(2)
    expect(new URL(last().url).search).toBe('?conn_id=conn-1&cursor=e-1&hello=1')
    last().write(HELLO)
    await settled()
    expect(statuses.at(-1)).toBe('sse')
    connection.closeConnection()
  })

  it('leaves a stream that is silent, though heartbeats are no events', async () => {
    const { connection, last } = streamingPage()
    void connection.connect()
    await settled()
    last().write(HELLO)
    for (let n = 0; n < 10; n++) {
      await pass(15_000)
      last().write(':\n\n')
    }
    expect(connection.status).toBe('connected')
    await pass(20_000)
    expect([connection.status, last().signal.aborted]).toEqual(['waiting', true])
    connection.closeConnection()
  })

  it.each([
    ['that a proxy holds back', () => pass(8_000)],
    [
      'that ends before it has begun',
      (page: ReturnType<typeof streamingPage>) => Promise.resolve(page.last().end()),
    ],
  ])('polls in place of a stream %s', async (_what, act) => {
    const page = streamingPage()
    void page.connection.connect()
    await settled()
    await act(page)
    await settled()
    expect([page.connection.transport, page.polls.length > 0]).toEqual(['longpoll', true])
    page.connection.closeConnection()
  })

  it.each([
    [404, 'longpoll', 'conn-1'],
    [401, null, 'conn-2'],
  ])('a stream that is refused with %i', async (status, transport, connection) => {
    const page = streamingPage({ status })
    page.connection.connect().catch(() => {})
    await settled()
    expect(page.connection.transport).toBe(transport)
    await pass(1_000)
    expect(new URL(page.last().url).searchParams.get('conn_id')).toBe(connection)
    page.connection.closeConnection()
  })

  it('polls if its fetch cannot stream', async () => {
    const { connection } = streamingPage()
    const { fetch } = connection
    connection.fetch = async (url, init) => {
      const answer = await (fetch as Fetch)(url, init)
      return { ok: answer.ok, status: answer.status, text: () => answer.text() }
    }
    void connection.connect()
    await settled()
    expect(connection.transport).toBe('longpoll')
    connection.closeConnection()
  })

  it('polls with openLongPoll()', async () => {
    const { connection, streams } = streamingPage({ connectionId: 'conn-1' })
    await connection.openLongPoll()
    expect([connection.transport, streams.length]).toEqual(['longpoll', 0])
    connection.closeConnection()
  })
})

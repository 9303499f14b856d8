import { afterEach, beforeEach, vi } from 'vitest'
import { ChannelstreamConnection } from '../../../frontend/client/index.ts'
import type { ConnectionOptions, Fetch, WebSocketLike } from '../../../frontend/client/index.ts'

/** A WebSocket that the test controls. */
export class FakeSocket implements WebSocketLike {
  static all: FakeSocket[] = []
  readyState = 0
  readonly sent: string[] = []
  onopen: WebSocketLike['onopen'] = null
  onmessage: WebSocketLike['onmessage'] = null
  onerror: WebSocketLike['onerror'] = null
  onclose: WebSocketLike['onclose'] = null
  isClosed = false

  constructor(readonly url: string) {
    FakeSocket.all.push(this)
  }

  static get last(): FakeSocket {
    const socket = FakeSocket.all.at(-1)
    if (!socket) throw new Error('no WebSocket was opened')
    return socket
  }

  /** Like a server that knows the connection. */
  open(): this {
    return this.shakeHands().deliver({
      type: 'hello',
      heartbeat_interval: 5,
      wake_connections_after: 5,
    })
  }

  /** Without a word of the server yet. */
  shakeHands(): this {
    this.readyState = 1
    this.onopen?.({ type: 'open' } as never)
    return this
  }

  deliver(...events: unknown[]): this {
    return this.deliverText(JSON.stringify(events))
  }

  deliverText(data: unknown): this {
    this.onmessage?.({ data } as never)
    return this
  }

  /** Closes from the server side. 1006 simulates a network failure. */
  end(code: number, reason = ''): void {
    this.readyState = 3
    if (code === 1006) this.onerror?.({ type: 'error' } as never)
    this.onclose?.({ type: 'close', code, reason } as never)
  }

  send(data: string): void {
    this.sent.push(data)
  }

  close(): void {
    this.isClosed = true
  }
}

export interface FakeRequest {
  readonly url: string
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: unknown
  readonly signal: AbortSignal
}

/** A `fetch` that records requests and answers with the result of `answer`. */
export function fakeFetch(
  answer: (
    request: FakeRequest,
  ) => { status?: number; body?: unknown } | Promise<never> = () => ({}),
) {
  const requests: FakeRequest[] = []
  const fetch: Fetch = async (url, { method, headers, body, signal }) => {
    const parsed: unknown = body === undefined ? undefined : JSON.parse(body)
    const request = { url, method, headers, body: parsed, signal }
    requests.push(request)
    const { status = 200, body: answered = {} } = await answer(request)
    const text = typeof answered === 'string' ? answered : JSON.stringify(answered)
    return { ok: status < 300, status, text: () => Promise.resolve(text) }
  }
  return { fetch, requests }
}

/** Never resolves. Rejects like `fetch` when aborted. */
export const unanswered = ({ signal }: FakeRequest): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

/** A connection with a fake backend, which assigns `conn-1`, `conn-2`, … */
export function fakePage(options: ConnectionOptions = {}) {
  FakeSocket.all = []
  let connections = 0
  const { fetch, requests } = fakeFetch(() => ({ body: { conn_id: `conn-${++connections}` } }))
  const connection = new ChannelstreamConnection({
    connectUrl: 'http://app.test/connect',
    websocketUrl: 'ws://push.test/ws',
    WebSocket: FakeSocket,
    fetch,
    ...options,
  })
  return { connection, requests }
}

/** Flushes pending promises. No time passes. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve()
}

/** Call it where tests are declared: time passes only with `pass`, and random numbers are 0.5. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
    })
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
}

export const pass = async (ms: number): Promise<void> => {
  await settled()
  await vi.advanceTimersByTimeAsync(ms)
  await settled()
}

let n = 0
export const newMessage = (text: string, id = `epoch-${++n}`) => ({
  type: 'message' as const,
  id,
  message: { text },
})

/** The interface between the session and its transports. To add one, implement `Transport`. */
import { MAX_DELAY_MS } from './backoff.ts'
import { ChannelstreamError } from './errors.ts'
import type { TransportName } from './events.ts'

/** The parts of a WebSocket that the client uses: the browser's, Node's, or that of the package `ws`. */
export interface WebSocketLike {
  readonly readyState: number
  onopen: ((event: never) => unknown) | null
  onmessage: ((event: never) => unknown) | null
  onerror: ((event: never) => unknown) | null
  onclose: ((event: never) => unknown) | null
  send(data: string): void
  close(code?: number, reason?: string): void
}

export type WebSocketClass = new (url: string) => WebSocketLike

export interface ResponseLike {
  readonly ok: boolean
  readonly status: number
  text(): Promise<string>
  /** The bytes as they arrive. Without it, responses are read as a whole, and there are no Server-Sent Events. */
  readonly body?: BodyLike | null
}

export interface BodyLike {
  getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }> }
}

export type Fetch = (
  url: string,
  init: {
    method: string
    headers: Record<string, string>
    body?: string
    cache?: 'no-store'
    keepalive?: boolean
    credentials?: Credentials
    signal: AbortSignal
  },
) => Promise<ResponseLike>

export type Credentials = 'omit' | 'same-origin' | 'include'

/** The current settings of the page. */
export interface TransportSettings {
  readonly websocketUrl: string
  readonly sseUrl: string
  readonly longPollUrl: string
  readonly noWebsocket: boolean
  readonly noSse: boolean
  readonly heartbeats: boolean
  readonly fetch: Fetch | undefined
  readonly WebSocket: WebSocketClass | undefined
}

/** What to open: the connection, and the current id of the last received event. */
export interface ListenTarget {
  readonly connectionId: string
  readonly cursor: string
  /** How long the server may send nothing. 0: for ever. Changes when the server tells its intervals. */
  readonly silenceMs: number
}

/** What a transport calls. Has no effect after the signal was aborted. */
export interface TransportHooks {
  /** The server may have sent something from now on, which may get lost. Called before `opened`. */
  reached(): void
  /** The server knows the connection. Called at most once. `detail` is for the page's callback. */
  opened(detail: unknown, socket?: WebSocketLike): void
  /** Something was received: a frame, unless the server is faulty. */
  received(frame: unknown): void
  /** The transport failed. `detail` is for the page's callback. `listen` resolves afterwards. */
  failed(detail: unknown, data?: unknown): void
  /** Whether a better transport should be tried. */
  shouldSwitch(): boolean
}

/**
 * What to do after a transport has ended. `resume`: reconnect to the same connection. `later`: the same, but the server
 * asked for a delay. `fallback`: this transport could not be opened; try another one. `switch`: a better transport
 * should be tried. `renew`: the server does not know the connection; ask the backend for a new one. `stay-away`: do not
 * reconnect. `ended`: the signal was aborted.
 */
export type Next = 'resume' | 'later' | 'fallback' | 'switch' | 'renew' | 'stay-away' | 'ended'

export interface Ending {
  readonly next: Next
  readonly error?: ChannelstreamError
  /** With `later`: when, if the server has said so. */
  readonly retryInMs?: number
  /** For the page's callback. */
  readonly detail?: unknown
}

export interface Transport {
  readonly name: TransportName
  /** Whether the settings allow this transport. */
  isUsable(settings: TransportSettings): boolean
  /** Listens until it ends or `signal` is aborted. Then nothing is left open. Does not reject. */
  listen(
    settings: TransportSettings,
    target: ListenTarget,
    hooks: TransportHooks,
    signal: AbortSignal,
  ): Promise<Ending>
  /** Checks an open transport: timers may have been suspended. */
  checkNow(): void
  /** Ends with `switch`: the network has changed, so what is open may be dead. */
  replace(): void
  /** Releases what earlier calls of `listen` have left open. */
  release(): void
}

/** Returns the URL to open. Throws a `TypeError` if `url` is invalid. `hello`: ask the server for its intervals. */
export function addressOf(
  url: string,
  { connectionId, cursor }: ListenTarget,
  hello: boolean,
): URL {
  const address = new URL(url, globalThis.location?.href)
  address.searchParams.set('conn_id', connectionId)
  address.searchParams.set('cursor', cursor)
  if (hello) address.searchParams.set('hello', '1')
  return address
}

/** The result of a transport that could not start. */
export const cannotOpen = (cause: unknown): Ending => ({
  next: 'fallback',
  error: new ChannelstreamError('settings', `the transport cannot be opened: ${String(cause)}`, {
    cause,
  }),
})

/** The result of a transport that the server, or the network, has closed (docs/protocol.md, close codes). */
export function endingOf(status: number, answer: string, detail: unknown): Ending {
  const error = new ChannelstreamError('closed', `closed: ${status} ${answer}`, { status, answer })
  const next = nextAfter(status)
  const [, seconds] = (next === 'later' && RETRY_AFTER.exec(answer)) || []
  return { next, error, detail, ...(seconds && { retryInMs: askedMs(seconds) }) }
}

const askedMs = (seconds: string): number => Math.min(Number(seconds) * 1000, MAX_DELAY_MS)
/** The server gives each client a time of its own, and will be back: waiting for it is no failure. */
const RETRY_AFTER = /; retry-after=(\d+(?:\.\d+)?)$/

function nextAfter(code: number): Next {
  if (code === 1000) return 'renew'
  if (code === 1012 || code === 4013) return 'later'
  return code >= 4500 && code <= 4999 ? 'stay-away' : 'resume'
}

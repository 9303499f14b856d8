/** The interface between the session and its transports. To add one, implement `Transport`. */
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
}

export type Fetch = (
  url: string,
  init: {
    method: string
    headers: Record<string, string>
    body?: string
    cache?: 'no-store'
    keepalive?: boolean
    signal: AbortSignal
  },
) => Promise<ResponseLike>

/** The current settings of the page. */
export interface TransportSettings {
  readonly websocketUrl: string
  readonly longPollUrl: string
  readonly noWebsocket: boolean
  readonly heartbeats: boolean
  readonly silenceTimeout: number
  readonly fetch: Fetch | undefined
  readonly WebSocket: WebSocketClass | undefined
}

/** What to open: the connection, and the current id of the last received event. */
export interface ListenTarget {
  readonly connectionId: string
  readonly cursor: string
}

/** What a transport calls. Has no effect after the signal was aborted. */
export interface TransportHooks {
  /** Events can arrive. Called at most once. `detail` is for the page's callback. */
  opened(detail: unknown, socket?: WebSocketLike): void
  /** Something was received: a frame, unless the server is faulty. */
  received(frame: unknown): void
  /** The transport failed. `detail` is for the page's callback. `listen` resolves afterwards. */
  failed(...detail: unknown[]): void
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
  /** Checks an open transport: timers may have been suspended, or the network may have changed. */
  checkNow(): void
  /** Releases what earlier calls of `listen` have left open. */
  release(): void
}

/** Returns the URL to open. Throws a `TypeError` if `url` is invalid. */
export function addressOf(url: string, { connectionId, cursor }: ListenTarget): URL {
  const address = new URL(url, globalThis.location?.href)
  address.searchParams.set('conn_id', connectionId)
  address.searchParams.set('cursor', cursor)
  return address
}

/** The result of a transport that could not start. */
export const cannotOpen = (cause: unknown): Ending => ({
  next: 'fallback',
  error: new ChannelstreamError('settings', `the transport cannot be opened: ${String(cause)}`, {
    cause,
  }),
})

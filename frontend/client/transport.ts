/** What the connection needs of a way to get events. A further one is a file that implements `Transport`. */
import { ChannelstreamError } from './errors.ts'
import type { TransportName } from './events.ts'

/** A WebSocket as far as it is used here: the browser's, Node's, or the class of the package `ws`. */
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

/** What pages may set, as it is at the moment. */
export interface TransportSettings {
  readonly websocketUrl: string
  readonly longPollUrl: string
  readonly noWebsocket: boolean
  readonly heartbeats: boolean
  readonly silenceTimeout: number
  readonly fetch: Fetch | undefined
  readonly WebSocket: WebSocketClass | undefined
}

/** What to open: the connection, and the id of the last event that is had, as it is at the moment. */
export interface Place {
  readonly connectionId: string
  readonly cursor: string
}

/** Who listens. Nothing is told after the signal was aborted. */
export interface Ears {
  /** Events can come; at most once. `detail` is for the page's callback. */
  opened(detail: unknown, socket?: WebSocketLike): void
  /** Something came: a frame, if the server means well. */
  heard(frame: unknown): void
  /** It failed, with details for the page's callback. The end follows. */
  failed(...detail: unknown[]): void
  /** Whether a better transport should be tried. */
  enough(): boolean
}

/**
 * What to do after a transport has ended. `resume`: come back to the same connection. `later`: the same, but the server
 * asks for some time. `fallback`: it could not be opened, perhaps another one can. `switch`: it had enough. `renew`: the
 * server does not know the connection, ask the backend for another. `stay-away`: do not come back. `ended`: by its signal.
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
  /** Whether it can be tried at all. */
  isUsable(settings: TransportSettings): boolean
  /** Listens until it ends or is ended by `signal`, which leaves nothing open. Does not reject. */
  listen(
    settings: TransportSettings,
    place: Place,
    ears: Ears,
    signal: AbortSignal,
  ): Promise<Ending>
  /** Time may have stood still, or the network may have changed: looks whether what is open still is. */
  lookNow(): void
  /** Lets go of whatever it kept from listenings that have ended. */
  letGo(): void
}

/** The address of a sink. Throws a `TypeError` if `url` is none. */
export function addressOf(url: string, { connectionId, cursor }: Place): URL {
  const address = new URL(url, globalThis.location?.href)
  address.searchParams.set('conn_id', connectionId)
  address.searchParams.set('cursor', cursor)
  return address
}

/** What a transport ends with if it could not even begin. */
export const cannotOpen = (cause: unknown): Ending => ({
  next: 'fallback',
  error: new ChannelstreamError('settings', `cannot be opened: ${String(cause)}`, { cause }),
})

/**
 * The types of the server's events. They duplicate the schemas in `src/protocol/events.ts`, so that importing the
 * client does not require zod. A test has the compiler compare the two.
 */
import type { ChannelstreamError } from './errors.ts'

/** What a page puts into messages and the states of users: `ChannelstreamConnection<{ message: Chat; state: Profile }>`. */
export interface PageTypes {
  readonly message?: unknown
  readonly state?: unknown
}

export type StateOf<Types> = Types extends { readonly state: infer Told } ? Told : State
type MessageOf<Types> = Types extends { readonly message: infer Told }
  ? Told
  : Readonly<Record<string, unknown>>
/** Without a type of the page, a message may also have no content. */
type WithMessage<Types> = Types extends { readonly message: infer Told }
  ? { message: Told }
  : { message?: Readonly<Record<string, unknown>> | undefined }

export type Scalar = string | number | boolean | null
export type State = Record<string, Scalar>

/** A new message. `channel` is null for a private message. Additional keys of the message are passed through. */
export type MessageEvent<Types extends PageTypes = object> = WithMessage<Types> & MessageFields

interface MessageFields {
  type: 'message'
  /** Its position in the event stream. */
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string | null
  user: string
  edited: string | null
  /** True if the event was sent during catch-up, after the connection opened or reconnected. */
  catchup: boolean
  [key: string]: unknown
}

/** A message was edited. Holds the keys that the edit request gave. */
export interface MessageEditEvent<Types extends PageTypes = object> {
  type: 'message:edit'
  id: string
  /** The edited message. */
  uuid: string
  timestamp?: string | undefined
  date?: string | undefined
  channel: string | null
  user?: string | undefined
  message?: MessageOf<Types> | undefined
  edited: string
  catchup?: true | undefined
  [key: string]: unknown
}

/** A message was deleted. */
export interface MessageDeleteEvent {
  type: 'message:delete'
  id: string
  /** The deleted message. */
  uuid: string
  channel: string | null
  catchup?: true | undefined
}

/** A user's first connection joined the channel, or the last one left. */
export interface PresenceEvent<Types extends PageTypes = object> {
  type: 'presence'
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string
  user: string
  /** The users in the channel, if it includes the user list in presence events; else empty. */
  users: { user: string; state: StateOf<Types> }[]
  users_total?: number | undefined
  message: { action: 'joined' | 'parted' }
  state: StateOf<Types> | null
  catchup: boolean
}

/** The public state of a user of the channel changed. */
export interface UserStateEvent<Types extends PageTypes = object> {
  type: 'user_state_change'
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string
  user: string
  message: { state: StateOf<Types>; changed: { key: string; value: Scalar }[] }
  catchup: boolean
}

/** Events were missed that the server no longer keeps. The page should reload its data. */
export interface GapEvent {
  type: 'gap'
  id: string
  timestamp: string
  date: string
  /** Channels in which events may be missing. */
  channels: string[]
  /** True if private messages may be missing. */
  private: boolean
  message: { action: 'gap' }
  catchup: true
}

export type ServerEvent<Types extends PageTypes = object> =
  | MessageEvent<Types>
  | MessageEditEvent<Types>
  | MessageDeleteEvent
  | PresenceEvent<Types>
  | UserStateEvent<Types>
  | GapEvent

/**
 * `disconnected`: not running. `connecting`: asking the backend, or opening a transport. `connected`: receiving events.
 * `waiting`: an attempt failed, and the client will retry by itself. `offline`: the browser says that it has no network;
 * the client retries once a minute, and at once when the browser is online.
 */
export type Status = 'disconnected' | 'connecting' | 'connected' | 'waiting' | 'offline'

export type TransportName = 'websocket' | 'sse' | 'longpoll'

/** The status or the transport of the connection changed. */
export interface StatusEvent {
  type: 'status'
  status: Status
  /** The transport in use; null unless connected. */
  transport: TransportName | null
  /** While waiting: milliseconds to the next attempt, which comes earlier if the network or the page comes back. */
  retryInMs?: number
  /** Why the client is waiting, or why it gave up. */
  reason?: ChannelstreamError
}

/** A failure that no promise reports, such as a failed reconnect or an invalid frame. */
export interface ErrorEvent {
  type: 'error'
  error: ChannelstreamError
}

/** The backend's answer to `connect()`: at least the `conn_id`. */
export interface ConnectAnswer {
  readonly conn_id: string
  readonly channels?: readonly string[]
  readonly [key: string]: unknown
}

/**
 * The backend has given the page a connection: the first one, or another one after the server no longer knew the former.
 * Comes before the events of this connection.
 */
export interface ConnectEvent {
  type: 'connect'
  answer: ConnectAnswer
}

/** The events for `connection.on`. `event` is any event from the server, including types that are unknown here. */
export type Events<Types extends PageTypes = object> = {
  [E in ServerEvent<Types> | StatusEvent | ErrorEvent | ConnectEvent as E['type']]: E
} & { event: ServerEvent<Types> }

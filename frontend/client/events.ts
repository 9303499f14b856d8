/**
 * What the server tells, as types only. They stand here once more, beside the schemas of `src/protocol/events.ts`, so
 * that whoever imports them needs no zod; a test has the compiler compare the two.
 */
import type { ChannelstreamError } from './errors.ts'

export type Scalar = string | number | boolean | null
export type State = Record<string, Scalar>

/** Somebody said something. `channel` is null for a private message. Further keys of the message are passed on. */
export interface MessageEvent {
  type: 'message'
  /** Its place in the stream. */
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string | null
  user: string
  message?: Readonly<Record<string, unknown>> | undefined
  edited: string | null
  /** True when the event is told late, to a connection that opened or came back. */
  catchup: boolean
  [key: string]: unknown
}

/** A message was changed. Holds the keys that were given for the change. */
export interface MessageEditEvent {
  type: 'message:edit'
  id: string
  /** The message that changed. */
  uuid: string
  timestamp?: string | undefined
  date?: string | undefined
  channel: string | null
  user?: string | undefined
  message?: Readonly<Record<string, unknown>> | undefined
  edited: string
  catchup?: true | undefined
  [key: string]: unknown
}

/** A message was taken away. */
export interface MessageDeleteEvent {
  type: 'message:delete'
  id: string
  /** The message that is gone. */
  uuid: string
  channel: string | null
  catchup?: true | undefined
}

/** A user's first connection joined the channel, or the last one parted. */
export interface PresenceEvent {
  type: 'presence'
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string
  user: string
  /** Who is there, if the channel tells; else empty. */
  users: { user: string; state: State }[]
  users_total?: number | undefined
  message: { action: 'joined' | 'parted' }
  state: State | null
  catchup: boolean
}

/** The public state of a user in the channel changed. */
export interface UserStateEvent {
  type: 'user_state_change'
  id: string
  uuid: string
  timestamp: string
  date: string
  channel: string
  user: string
  message: { state: State; changed: { key: string; value: Scalar }[] }
  catchup: boolean
}

/** Something was missed that the server no longer keeps: load what the page shows anew. */
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

export type ServerEvent =
  MessageEvent | MessageEditEvent | MessageDeleteEvent | PresenceEvent | UserStateEvent | GapEvent

/**
 * `disconnected`: at rest. `connecting`: the backend is asked, or a transport opens. `connected`: events come.
 * `waiting`: it failed, and is tried again by itself.
 */
export type Status = 'disconnected' | 'connecting' | 'connected' | 'waiting'

export type TransportName = 'websocket' | 'longpoll'

/** The connection itself went from one status to another, or from one transport to another. */
export interface StatusEvent {
  type: 'status'
  status: Status
  /** By what events come; null unless connected. */
  transport: TransportName | null
  /** While waiting: milliseconds to the next try, unless the network or the page comes back earlier. */
  retryInMs?: number
  /** Why it is waiting, or disconnected without having been asked to be. */
  reason?: ChannelstreamError
}

/** Something failed that no promise tells of, such as a try to come back, or a frame that cannot be read. */
export interface ErrorEvent {
  type: 'error'
  error: ChannelstreamError
}

/** What can be listened to with `connection.on`. `event` is each event of the server, also of types not known here. */
export type Events = { [E in ServerEvent | StatusEvent | ErrorEvent as E['type']]: E } & {
  event: ServerEvent
}

/** Two ways to run operations: on a hub alone, and over HTTP and WebSocket. */
import type { Hub } from '../../src/core/hub.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { ModelOptions } from './model.ts'
import type { OperationNamed } from './operations.ts'

/** A change that no operation caused directly. Notices are in order of time. */
export type Notice =
  | { readonly type: 'ended'; readonly connId: string; readonly at: number }
  | { readonly type: 'expelled' | 'abandoned'; readonly client: Client; readonly at: number }
  /** The client's event stream has ended by itself. */
  | { readonly type: 'over'; readonly client: Client; readonly at: number }

export type Transport = 'websocket' | 'sse' | 'poll'

/** A client with a sink of its own. */
export interface Client {
  readonly connId: string
  readonly transport: Transport
  readonly kind: 'stream' | 'poll'
  /** All received events, oldest first. */
  readonly events: readonly Event[]
  /** Closed by the server. */
  readonly isClosed: boolean
}

/** The answer to a request; undefined if it was refused. */
type Answer<Of> = Promise<Of | undefined>
type RequestOf<
  Name extends 'connect' | 'subscribe' | 'configure' | 'state' | 'post' | 'edit' | 'remove',
> = OperationNamed<Name>['request']

export interface ConnectAnswer {
  readonly channels: readonly string[]
  readonly channels_info: ChannelsInfo
  readonly state: object
  readonly public_state: object
}
export interface MembershipAnswer {
  readonly channels: readonly string[]
  readonly channels_info: ChannelsInfo
  readonly subscribed_to?: readonly string[]
  readonly unsubscribed_from?: readonly string[]
}
export interface StateAnswer {
  readonly user_state: object
  readonly changed_state: readonly { readonly key: string; readonly value: unknown }[]
  readonly public_keys: readonly string[]
}
export type Posted = readonly {
  readonly uuid?: string | undefined
  readonly edited?: unknown
  readonly recipients?: unknown
}[]

export interface Driver {
  readonly hub: Pick<Hub, 'openConnections' | 'adminOverview' | 'hasUser' | 'hasConnection'>
  /** Empty until the first event shows it. */
  readonly epoch: string
  readonly options: ModelOptions & { readonly maxOutboxBytes: number }
  readonly now: number
  /** Returns and removes the notices since the last call. */
  notices(): Notice[]

  connect(request: RequestOf<'connect'>): Answer<ConnectAnswer>
  subscribe(request: RequestOf<'subscribe'>): Answer<MembershipAnswer>
  unsubscribe(request: RequestOf<'subscribe'>): Answer<MembershipAnswer>
  configure(request: RequestOf<'configure'>): Answer<ChannelsInfo>
  setState(request: RequestOf<'state'>): Answer<StateAnswer>
  post(request: RequestOf<'post'>, isCounted: boolean): Answer<Posted>
  edit(request: RequestOf<'edit'>): Answer<Posted>
  remove(request: RequestOf<'remove'>): Answer<Posted>
  disconnect(connId: string): Promise<boolean>
  info(): Promise<ChannelsInfo>

  /** Resolves with undefined if refused. A poll may already be answered then. */
  open(
    connId: string,
    transport: Transport,
    cursor: string | undefined,
  ): Promise<{ readonly client: Client; readonly isAnswered: boolean } | undefined>
  leave(client: Client): Promise<void>
  breakOff(client: Client): Promise<void>
  answer(client: Client, arrives: boolean): Promise<void>
  setWritable(client: Client, isWritable: boolean): Promise<void>
  fallSilent(client: Client): void

  advance(ms: number): Promise<void>
  /** Resolves when everything is delivered. `isDone` returns whether all expected events have arrived. */
  settle(isDone: () => boolean): Promise<void>
  stop(): Promise<void>
}

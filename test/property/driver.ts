/** Two ways to play operations: on a hub alone, and over HTTP and WebSocket. */
import type { Hub } from '../../src/core/hub.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { ModelOptions } from './model.ts'
import type { OperationNamed } from './operations.ts'

/** What happened without an operation that asks for it right then; in the order in which it happened. */
export type Notice =
  | { readonly type: 'ended'; readonly connId: string; readonly at: number }
  | { readonly type: 'expelled' | 'abandoned'; readonly client: Client; readonly at: number }

/** A client with a sink of its own. */
export interface Client {
  readonly connId: string
  readonly kind: 'stream' | 'poll'
  /** All that arrived, oldest first. */
  readonly events: readonly Event[]
  /** By the server. */
  readonly isClosed: boolean
}

/** What a request was answered; undefined: it was refused. */
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
export type Posted = readonly { readonly uuid?: string | undefined; readonly edited?: unknown }[]

export interface Driver {
  readonly hub: Pick<Hub, 'openConnections' | 'adminOverview' | 'hasUser' | 'hasConnection'>
  /** Empty as long as no event told it. */
  readonly epoch: string
  readonly options: ModelOptions & { readonly maxOutboxBytes: number }
  readonly now: number
  /** Takes out what happened since the last call. */
  notices(): Notice[]

  connect(request: RequestOf<'connect'>): Answer<ConnectAnswer>
  subscribe(request: RequestOf<'subscribe'>): Answer<MembershipAnswer>
  unsubscribe(request: RequestOf<'subscribe'>): Answer<MembershipAnswer>
  configure(request: RequestOf<'configure'>): Answer<ChannelsInfo>
  setState(request: RequestOf<'state'>): Answer<StateAnswer>
  post(request: RequestOf<'post'>): Answer<Posted>
  edit(request: RequestOf<'edit'>): Answer<Posted>
  remove(request: RequestOf<'remove'>): Answer<Posted>
  disconnect(connId: string): Promise<boolean>
  info(): Promise<ChannelsInfo>

  /** Undefined: refused. A poll may have been answered already when this resolves. */
  open(
    connId: string,
    kind: Client['kind'],
    cursor: string | undefined,
  ): Promise<{ readonly client: Client; readonly isAnswered: boolean } | undefined>
  leave(client: Client): Promise<void>
  breakOff(client: Client): Promise<void>
  answer(client: Client, arrives: boolean): Promise<void>
  setWritable(client: Client, isWritable: boolean): Promise<void>
  fallSilent(client: Client): void

  advance(ms: number): Promise<void>
  /** Until everything has been delivered; `isDone` says whether what is expected has come. */
  settle(isDone: () => boolean): Promise<void>
  stop(): Promise<void>
}

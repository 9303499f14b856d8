import { Callbacks } from './callbacks.ts'
import { ChannelstreamError } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { Inner, handled } from './inner.ts'
import type { ListenOptions } from './emitter.ts'
import type { EventIterator } from './event-queue.ts'
import type {
  ConnectAnswer,
  Events,
  PageTypes,
  ServerEvent,
  Status,
  TransportName,
} from './events.ts'
import type { Mutator } from './request.ts'
import type { ConnectionOptions, MutatorType } from './settings.ts'

const MAX_WAITING_EVENTS = 1_000

export interface QueueOptions extends ListenOptions {
  /** How many events may wait to be read; one more ends the iteration with an error. */
  readonly limit?: number
}

/**
 * A page's connection to a Channelstream server, set up through the page's backend (docs/client.md).
 *
 * Set the URLs, then call `connect()`. The client reconnects by itself until `disconnect()`. No event is lost or
 * repeated while the server still keeps the missed events; otherwise a `gap` event comes first. Nothing is opened
 * before `connect()`.
 *
 * Every call returns a promise and calls a callback as well. A rejection that nobody handles does no harm. Calls for
 * channels are made one at a time, in their order, and so are those for messages and states.
 *
 * `Types`: what the page puts into messages and the states of users.
 */
export class ChannelstreamConnection<Types extends PageTypes = object>
  extends Callbacks
  implements AsyncIterable<ServerEvent<Types>>
{
  static readonly version = '1.0.0'

  /** Is never set. From here the compiler knows `Types`, which it cannot find in the types of events. */
  declare readonly pageTypes?: Types

  /** Not a private name: those cannot be read through the proxies of frameworks. A function, since these wrap objects. */
  private readonly inner: () => Inner

  constructor(options: ConnectionOptions = {}) {
    super()
    // An option that is undefined is one that the page left out.
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    Object.assign(this, Object.fromEntries(given))
    const inner = new Inner(this)
    this.inner = () => inner
  }

  /** Tells Vue and Alpine not to make the connection reactive. */
  get __v_skip(): true {
    return true
  }

  get status(): Status {
    return this.inner().session.status.status
  }

  /** The transport in use; null unless connected. */
  get transport(): TransportName | null {
    return this.inner().session.status.transport
  }

  /**
   * Asks the backend for a connection and opens it. Resolves with the backend's answer once events can arrive. Rejects
   * at the first failure; retries go on in the background, unless `shouldReconnect` is off. If the client is already
   * connecting, nothing is started twice; a pending retry is made at once.
   */
  connect(): Promise<ConnectAnswer | undefined> {
    const inner = this.inner()
    if (!inner.session.isRunning) this.connectionId = null
    inner.start()
    return handled(inner.session.connected().then(() => inner.connected.answer))
  }

  /**
   * Ends everything: listening, a pending retry or `connect()`, and iterations. Notifies the server. Resolves with its
   * answer, or with null if there is no connection or no `disconnectUrl`.
   */
  disconnect(): Promise<unknown> {
    return handled(this.inner().disconnect())
  }

  /** Opens `connectionId`, for pages that did not get it from `connect()`. */
  startListening(): Promise<void> {
    if (this.connectionId === null)
      return handled(Promise.reject(new ChannelstreamError('settings', 'connectionId is not set')))
    this.inner().start()
    return handled(this.inner().session.connected())
  }

  /** Like `startListening()`, by WebSocket if one is available. */
  openWebsocket(): Promise<void> {
    this.noWebsocket = false
    return this.startListening()
  }

  /** Like `startListening()`, by long polling. */
  openLongPoll(): Promise<void> {
    this.noWebsocket = this.noSse = true
    return this.startListening()
  }

  /** Stops listening and retrying. Sends no request, but the server ends the connection when a WebSocket closes. */
  closeConnection(): void {
    this.inner().session.stop()
  }

  /** Reconnects after a delay, if `shouldReconnect` is set and nothing is running. After failures this is automatic. */
  retryConnection(): void {
    if (this.shouldReconnect) this.inner().session.startLater()
  }

  /**
   * Asks the backend to subscribe to channels. With an empty list, sends nothing and resolves with null. Waits for the
   * connection, at most 30 s. Calls that wait are merged with the one before them if both subscribe.
   */
  subscribe(channels: readonly string[]): Promise<unknown> {
    return handled(this.inner().callChannels('subscribe', channels))
  }

  /** Like `subscribe`. */
  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return handled(this.inner().callChannels('unsubscribe', channels))
  }

  updateUserState(state: object): Promise<unknown> {
    return handled(this.inner().callUserState(state))
  }

  /** Resolves with the backend's answer: what was stored, if the backend passes it on. */
  message(message: object): Promise<unknown> {
    return handled(this.inner().callMessage('message', 'POST', message))
  }

  edit(message: object): Promise<unknown> {
    return handled(this.inner().callMessage('messageEdit', 'PATCH', message))
  }

  delete(message: object): Promise<unknown> {
    return handled(this.inner().callMessage('messageDelete', 'DELETE', message))
  }

  /**
   * Whether this page has posted the message with `message()`. Known before the event if the page chooses the `uuid`, else
   * after the answer. The last 1000 are known.
   */
  isOwn({ uuid }: { readonly uuid?: unknown }): boolean {
    return this.inner().isOwn(uuid)
  }

  addMutator(type: MutatorType, mutator: Mutator): void {
    this.mutators[type].push(mutator)
  }

  /** Returns those of `channels` that the connection is not in. */
  calculateSubscribe(channels: readonly string[] = []): string[] {
    return channels.filter((channel) => !this.channels.includes(channel))
  }

  /** Returns those of `channels` that the connection is in. */
  calculateUnsubscribe(channels: readonly string[] = []): string[] {
    return channels.filter((channel) => this.channels.includes(channel))
  }

  /** Returns a function that removes the listener. Aborting `signal` removes it too. */
  on<Type extends keyof Events<Types>>(
    type: Type,
    listener: (event: Events<Types>[Type]) => unknown,
    options?: ListenOptions,
  ): () => void {
    return this.inner().emitter.on(type, listener as never, options)
  }

  /** Like `on`, for one event. */
  once<Type extends keyof Events<Types>>(
    type: Type,
    listener: (event: Events<Types>[Type]) => unknown,
    options?: ListenOptions,
  ): () => void {
    return this.inner().emitter.on(type, listener as never, options, true)
  }

  /** Removes a listener that `on` or `once` has added with this function, the first one. */
  off<Type extends keyof Events<Types>>(
    type: Type,
    listener: (event: Events<Types>[Type]) => unknown,
  ): void {
    this.inner().emitter.off(type, listener as never)
  }

  /**
   * Returns an iterator over the events from now on, for one `for await`. It ends with `disconnect()` and when `signal`
   * is aborted. It throws if more than `limit` (1000) events wait to be read, and when the client gives up.
   */
  events({ signal, limit = MAX_WAITING_EVENTS }: QueueOptions = {}): EventIterator<
    ServerEvent<Types>
  > {
    const { queues } = this.inner()
    const end = (): void => queue.end()
    const queue = new EventQueue<ServerEvent>(limit, () => {
      queues.delete(queue)
      signal?.removeEventListener('abort', end)
    })
    queues.add(queue)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
    return queue
  }

  [Symbol.asyncIterator](): EventIterator<ServerEvent<Types>> {
    return this.events()
  }
}

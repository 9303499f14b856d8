import { call } from './backend.ts'
import { Callbacks } from './callbacks.ts'
import { Emitter } from './emitter.ts'
import { ChannelstreamError, guarded, report } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { LongPollTransport } from './long-poll.ts'
import { newRequest } from './request.ts'
import { Session } from './session.ts'
import { WebSocketTransport } from './websocket.ts'
import type { ListenOptions } from './emitter.ts'
import type { Events, ServerEvent, Status, StatusEvent, TransportName } from './events.ts'
import type { ChannelstreamRequest, Mutator } from './request.ts'
import type { SessionHooks } from './session.ts'
import type { ConnectionOptions, MutatorType } from './settings.ts'
import type { WebSocketLike } from './transport.ts'

const MAX_WAITING_EVENTS = 1_000
const EVENT_TYPES: ReadonlySet<string> = new Set<ServerEvent['type']>([
  'message',
  'message:edit',
  'message:delete',
  'presence',
  'user_state_change',
  'gap',
])

/** The backend's answer to `connect()`: at least the `conn_id`. */
export interface ConnectAnswer {
  readonly conn_id: string
  readonly channels?: readonly string[]
  readonly [key: string]: unknown
}

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
 * Every call returns a promise and calls a callback as well. A rejection that nobody handles does no harm.
 */
export class ChannelstreamConnection extends Callbacks implements AsyncIterable<ServerEvent> {
  static readonly version = '1.0.0'

  readonly #emitter = new Emitter<Events>()
  readonly #queues = new Set<EventQueue<ServerEvent>>()
  readonly #session: Session
  #status: StatusEvent = { type: 'status', status: 'disconnected', transport: null }
  /** The last successful request to `connectUrl`, and its answer. */
  #connected: { readonly request?: ChannelstreamRequest; readonly answer?: ConnectAnswer } = {}

  constructor(options: ConnectionOptions = {}) {
    super()
    // An option that is undefined is one that the page left out.
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    Object.assign(this, Object.fromEntries(given))
    const hooks: SessionHooks = {
      obtain: (signal) => this.#obtain(signal),
      beforeListening: () => {
        const { request, answer } = this.#connected
        guarded(() => this.beforeListeningCallback(request, answer))
      },
      opened: (detail, socket) => this.#opened(detail, socket),
      received: (events, signal) => this.#received(events, signal),
      failed: (request, data) => guarded(() => this.listenErrorCallback(request, data)),
      closed: (detail) => guarded(() => this.listenCloseCallback(detail)),
      malformed: (frame) => this.#malformed(frame),
      changed: (status) => this.#changed(status),
    }
    this.#session = new Session(this, hooks, [new WebSocketTransport(), new LongPollTransport()])
  }

  get status(): Status {
    return this.#status.status
  }

  /** The transport in use; null unless connected. */
  get transport(): TransportName | null {
    return this.#status.transport
  }

  /**
   * Asks the backend for a connection and opens it. Resolves with the backend's answer once events can arrive. Rejects
   * at the first failure; retries go on in the background, unless `shouldReconnect` is off. If the client is already
   * connecting, nothing is started twice; a pending retry is made at once.
   */
  connect(): Promise<ConnectAnswer | undefined> {
    if (!this.#session.isRunning) this.connectionId = null
    this.#session.start()
    return handled(this.#session.connected().then(() => this.#connected.answer))
  }

  /**
   * Ends everything: listening, a pending retry or `connect()`, and iterations. Notifies the server. Resolves with its
   * answer, or with null if there is no connection or no `disconnectUrl`.
   */
  disconnect(): Promise<unknown> {
    const { connectionId, disconnectUrl } = this
    this.closeConnection()
    this.#session.forget()
    this.connectionId = null
    if (connectionId === null || disconnectUrl === '') return Promise.resolve(null)
    const query = `${disconnectUrl.includes('?') ? '&' : '?'}conn_id=${encodeURIComponent(connectionId)}`
    return this.#call('disconnect', 'POST', disconnectUrl + query, { conn_id: connectionId })
  }

  /** Opens `connectionId`, for pages that did not get it from `connect()`. */
  startListening(): Promise<void> {
    if (this.connectionId === null)
      return handled(Promise.reject(new ChannelstreamError('settings', 'connectionId is not set')))
    this.#session.start()
    return handled(this.#session.connected())
  }

  /** Like `startListening()`, by WebSocket if one is available. */
  openWebsocket(): Promise<void> {
    this.noWebsocket = false
    return this.startListening()
  }

  /** Like `startListening()`, by long polling. */
  openLongPoll(): Promise<void> {
    this.noWebsocket = true
    return this.startListening()
  }

  /** Stops listening and retrying. Sends no request, but the server ends the connection when a WebSocket closes. */
  closeConnection(): void {
    this.#session.stop()
  }

  /** Reconnects after a delay, if `shouldReconnect` is set and nothing is running. After failures this is automatic. */
  retryConnection(): void {
    if (this.shouldReconnect) this.#session.startLater()
  }

  /** Asks the backend to subscribe to channels. With an empty list, sends nothing and resolves with null. */
  subscribe(channels: readonly string[]): Promise<unknown> {
    const body = { channels, conn_id: this.connectionId }
    return this.#call('subscribe', 'POST', this.subscribeUrl, body)
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    const body = { channels, conn_id: this.connectionId }
    return this.#call('unsubscribe', 'POST', this.unsubscribeUrl, body)
  }

  updateUserState(state: object): Promise<unknown> {
    const body = { username: this.username, conn_id: this.connectionId, update_state: state }
    return this.#call('userState', 'POST', this.userStateUrl, body)
  }

  message(message: object): Promise<unknown> {
    return this.#call('message', 'POST', this.messageUrl, message)
  }

  edit(message: object): Promise<unknown> {
    return this.#call('messageEdit', 'PATCH', this.messageEditUrl, message)
  }

  delete(message: object): Promise<unknown> {
    return this.#call('messageDelete', 'DELETE', this.messageDeleteUrl, message)
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
  on<Type extends keyof Events>(
    type: Type,
    listener: (event: Events[Type]) => unknown,
    options?: ListenOptions,
  ): () => void {
    return this.#emitter.on(type, listener, options)
  }

  /**
   * Returns an iterator over the events from now on, for one `for await`. It ends with `disconnect()` and when `signal`
   * is aborted. It throws if more than `limit` (1000) events wait to be read, and when the client gives up.
   */
  events({ signal, limit = MAX_WAITING_EVENTS }: QueueOptions = {}): AsyncIterableIterator<
    ServerEvent,
    undefined
  > {
    const end = (): void => queue.end()
    const queue = new EventQueue<ServerEvent>(limit, () => {
      this.#queues.delete(queue)
      signal?.removeEventListener('abort', end)
    })
    this.#queues.add(queue)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
    return queue
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ServerEvent, undefined> {
    return this.events()
  }

  #call(type: MutatorType, method: string, url: string, body: unknown): Promise<unknown> {
    const accept = (data: unknown): void => this.#updateChannels(data)
    return handled(call(this, type, newRequest(method, url, body), { accept }))
  }

  async #obtain(signal: AbortSignal): Promise<void> {
    if (this.connectUrl === '') throw new ChannelstreamError('settings', 'connectUrl is empty')
    const { username, channels } = this
    const request = newRequest('POST', this.connectUrl, { username, channels })
    const accept = (data: unknown): void => {
      const answer = data as ConnectAnswer | null
      if (typeof answer?.conn_id !== 'string' || answer.conn_id === '')
        throw new ChannelstreamError('answer', 'the answer has no conn_id', { answer })
      this.connectionId = answer.conn_id
      this.#connected = { request, answer }
      this.#updateChannels(data)
    }
    await call(this, 'connect', request, { signal, accept })
  }

  #updateChannels(data: unknown): void {
    const { channels } = (data ?? {}) as { channels?: unknown }
    if (!Array.isArray(channels)) return
    this.channels = channels as string[]
    guarded(() => this.channelsChangedCallback(this.channels))
  }

  #opened(detail: unknown, socket: WebSocketLike | null): void {
    this.websocket = socket
    guarded(() => this.listenOpenedCallback(detail))
  }

  #received(events: readonly ServerEvent[], signal: AbortSignal): void {
    guarded(() => this.listenMessageCallback(events))
    for (const event of events) {
      if (signal.aborted) return
      this.#emitter.emit('event', event)
      if (EVENT_TYPES.has(event.type)) this.#emitter.emit(event.type, event)
      for (const queue of [...this.#queues]) queue.push(event)
    }
  }

  #malformed(frame: unknown): void {
    const error = new ChannelstreamError('frame', 'the server sent an invalid frame', {
      answer: frame,
    })
    if (!this.#emitter.emit('error', { type: 'error', error })) report(error)
  }

  #changed(status: StatusEvent): void {
    this.#status = status
    this.connected = status.status === 'connected'
    if (!this.connected) this.websocket = null
    if (status.reason) this.#emitter.emit('error', { type: 'error', error: status.reason })
    this.#emitter.emit('status', status)
    if (status.status !== 'disconnected') return
    for (const queue of [...this.#queues]) queue.end(status.reason)
    guarded(() => this.connectionClosedCallback())
  }
}

/** Prevents unhandled rejections: pages that use callbacks or events do not handle the promise. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {})
  return promise
}

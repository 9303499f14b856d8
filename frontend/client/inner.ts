import { CALL_TIMEOUT_MS, call } from './backend.ts'
import { CallQueue } from './call-queue.ts'
import { Emitter } from './emitter.ts'
import { ChannelstreamError, disconnected, guarded, report } from './errors.ts'
import { LongPollTransport } from './long-poll.ts'
import { newRequest } from './request.ts'
import { Session } from './session.ts'
import { SseTransport } from './sse.ts'
import { backgroundTimeout, untilAborted } from './timing.ts'
import { WebSocketTransport } from './websocket.ts'
import type { Callbacks } from './callbacks.ts'
import type { EventQueue } from './event-queue.ts'
import type { ConnectAnswer, Events, ServerEvent, StatusEvent } from './events.ts'
import type { ChannelstreamRequest } from './request.ts'
import type { SessionHooks } from './session.ts'
import type { WebSocketLike } from './transport.ts'

const EVENT_TYPES: ReadonlySet<string> = new Set<ServerEvent['type']>([
  'message',
  'message:edit',
  'message:delete',
  'presence',
  'user_state_change',
  'gap',
])
/** The page's own messages that are remembered, to recognise their events. */
const MAX_OWN = 1_000

/** What a connection does and knows behind its public face. */
export class Inner implements SessionHooks {
  readonly emitter = new Emitter<Events>()
  readonly queues = new Set<EventQueue<ServerEvent>>()
  readonly session: Session
  /** The last successful request to `connectUrl`, and its answer. */
  connected: { readonly request?: ChannelstreamRequest; readonly answer?: ConnectAnswer } = {}
  /** Calls for channels and all others have an order each. */
  readonly #channelCalls = new CallQueue()
  readonly #calls = new CallQueue()
  /** Calls that wait for a connection. */
  readonly #waiters: (() => void)[] = []
  readonly #own = new Set<unknown>()
  /** How often the page has disconnected. */
  #endings = 0

  constructor(private readonly page: Callbacks) {
    this.session = new Session(page, this, [
      new WebSocketTransport(),
      new SseTransport(),
      new LongPollTransport(),
    ])
  }

  /** Starts with the connection that the page has, or gets one. */
  start(): void {
    this.session.start()
    if (this.page.connectionId !== null) this.#settleWaiters()
  }

  disconnect(): Promise<unknown> {
    const { page } = this
    const { connectionId } = page
    this.#endings++
    this.session.stop()
    this.session.forget()
    page.connectionId = null
    this.#settleWaiters()
    return this.#sayGoodbye(connectionId)
  }

  /** Subscribes or unsubscribes the connection that the page has when this is the first call in the queue. */
  callChannels(type: 'subscribe' | 'unsubscribe', channels: readonly string[]): Promise<unknown> {
    const endings = this.#endings
    return this.#channelCalls.addChannels(`${type} ${endings}`, channels, async (all) => {
      for (;;) {
        const conn_id = await this.#connectionId(endings)
        const isCurrent = (): boolean => this.page.connectionId === conn_id
        const request = newRequest('POST', this.page[`${type}Url`], { channels: all, conn_id })
        const accept = (data: unknown): void => void (isCurrent() && this.#updateChannels(data))
        try {
          const answer = await call(this.page, type, request, { accept, isCurrent })
          if (isCurrent()) return answer
        } catch (error) {
          if (isCurrent()) throw error
        }
        // Another connection has replaced it meanwhile. The answer says nothing about that one: once more.
      }
    })
  }

  async callUserState(state: object): Promise<unknown> {
    const update_state = copy(state)
    const endings = this.#endings
    return this.#calls.add(async () => {
      const { page } = this
      const conn_id = this.session.isRunning ? await this.#connectionId(endings) : page.connectionId
      const body = { username: page.username, conn_id, update_state }
      return call(page, 'userState', newRequest('POST', page.userStateUrl, body))
    })
  }

  async callMessage(
    type: 'message' | 'messageEdit' | 'messageDelete',
    method: string,
    message: object,
  ): Promise<unknown> {
    const body = copy(message)
    const isNew = type === 'message'
    if (isNew) this.#remember(body)
    return this.#calls.add(() =>
      call(this.page, type, newRequest(method, this.page[`${type}Url`], body), {
        accept: (data) => {
          if (isNew) for (const stored of [data].flat()) this.#remember(stored)
        },
      }),
    )
  }

  isOwn(uuid: unknown): boolean {
    return this.#own.has(uuid)
  }

  #remember(message: unknown): void {
    const { uuid } = (message ?? {}) as { uuid?: unknown }
    if (typeof uuid !== 'string') return
    this.#own.add(uuid)
    for (const oldest of this.#own) if (this.#own.size > MAX_OWN) this.#own.delete(oldest)
  }

  /** Waits until there is a connection, but not past the next `disconnect()`. */
  async #connectionId(endings: number): Promise<string> {
    for (;;) {
      if (endings !== this.#endings) throw disconnected()
      if (this.page.connectionId !== null) return this.page.connectionId
      await new Promise<void>((resolve, reject) => {
        const cancel = backgroundTimeout(CALL_TIMEOUT_MS, () =>
          reject(new ChannelstreamError('unconnected', 'there is no connection')),
        )
        this.#waiters.push(() => {
          cancel()
          resolve()
        })
      })
    }
  }

  #settleWaiters(): void {
    for (const settle of this.#waiters.splice(0)) settle()
  }

  beforeListening(): void {
    const { request, answer } = this.connected
    guarded(() => this.page.beforeListeningCallback(request, answer))
  }

  failed(request: unknown, data: unknown): void {
    guarded(() => this.page.listenErrorCallback(request, data))
  }

  closed(detail: unknown): void {
    guarded(() => this.page.listenCloseCallback(detail))
  }

  /** Is not aborted with `signal`: the backend may have got the request, and its late answer has to be cleaned up. */
  async obtain(signal: AbortSignal): Promise<void> {
    const { page } = this
    const { username, channels } = page
    const request = newRequest('POST', page.connectUrl, { username, channels })
    const endings = this.#endings
    const isCurrent = (): boolean => !signal.aborted
    const accept = (data: unknown): void => {
      const answer = data as ConnectAnswer | null
      if (typeof answer?.conn_id !== 'string' || answer.conn_id === '')
        throw new ChannelstreamError('answer', 'the answer has no conn_id', { answer })
      if (!isCurrent()) {
        const isUsed = answer.conn_id === page.connectionId
        if (endings !== this.#endings && !isUsed) this.#sayGoodbyeQuietly(answer.conn_id)
        return
      }
      page.connectionId = answer.conn_id
      this.connected = { request, answer }
      this.#updateChannels(data)
      this.emitter.emit('connect', { type: 'connect', answer })
      this.#settleWaiters()
    }
    await untilAborted(call(page, 'connect', request, { isCurrent, accept }), signal)
  }

  #sayGoodbye(conn_id: string | null): Promise<unknown> {
    const { page } = this
    if (conn_id === null || page.disconnectUrl === '') return Promise.resolve(null)
    const query = `${page.disconnectUrl.includes('?') ? '&' : '?'}conn_id=${encodeURIComponent(conn_id)}`
    return call(page, 'disconnect', newRequest('POST', page.disconnectUrl + query, { conn_id }))
  }

  /** If it fails, the server ends the connection a little later by itself. */
  #sayGoodbyeQuietly(conn_id: string | null): void {
    this.#sayGoodbye(conn_id).catch(() => {})
  }

  /** The browser closes a WebSocket, which ends the connection. Nothing tells the server that nobody will poll again. */
  leaving(): void {
    if (this.session.status.transport !== 'websocket')
      this.#sayGoodbyeQuietly(this.page.connectionId)
  }

  #updateChannels(data: unknown): void {
    const { channels } = (data ?? {}) as { channels?: unknown }
    if (!Array.isArray(channels)) return
    const { page } = this
    page.channels = channels as string[]
    guarded(() => page.channelsChangedCallback(page.channels))
  }

  opened(detail: unknown, socket: WebSocketLike | null): void {
    this.page.websocket = socket
    guarded(() => this.page.listenOpenedCallback(detail))
  }

  received(events: readonly ServerEvent[], signal: AbortSignal): void {
    guarded(() => this.page.listenMessageCallback(events))
    for (const event of events) {
      if (signal.aborted) return
      this.emitter.emit('event', event)
      if (EVENT_TYPES.has(event.type)) this.emitter.emit(event.type, event)
      for (const queue of [...this.queues]) queue.push(event)
    }
  }

  malformed(frame: unknown): void {
    const message = 'the server sent an invalid frame'
    const error = new ChannelstreamError('frame', message, { answer: frame })
    if (!this.emitter.emit('error', { type: 'error', error })) report(error)
  }

  changed(status: StatusEvent): void {
    const { page } = this
    page.connected = status.status === 'connected'
    // Offline, the socket may still work.
    if (!page.connected && status.status !== 'offline') page.websocket = null
    this.emitter.emit('status', status)
    if (status.reason) this.emitter.emit('error', { type: 'error', error: status.reason })
    if (status.status !== 'disconnected') return
    for (const queue of [...this.queues]) queue.end(status.reason)
    guarded(() => page.connectionClosedCallback())
  }
}

/** Prevents unhandled rejections: pages that use callbacks or events do not handle the promise. */
export function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {})
  return promise
}

/** As it is now: a page may empty its form before the call is made. */
const copy = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value

import { MAX_DELAY_MS, retryDelayMs } from './backoff.ts'
import { Cooldowns } from './cooldowns.ts'
import { ChannelstreamError, disconnected, report } from './errors.ts'
import { Position } from './position.ts'
import { isOffline, watchBrowser } from './timing.ts'
import type { ServerEvent, StatusEvent } from './events.ts'
import type {
  TransportHooks,
  Ending,
  Transport,
  TransportSettings,
  WebSocketLike,
} from './transport.ts'

/** After this many consecutive attempts that opened but received no frame, another transport or connection is tried. */
const MAX_FRUITLESS = 2

/** A server that sends something every so often is dead after this many times as long without anything. */
const MISSED_INTERVALS = 2.5

/** The settings of a session. They may change at any time. */
export interface SessionSettings extends TransportSettings {
  connectionId: string | null
  readonly silenceTimeout: number
  readonly shouldReconnect: boolean
  readonly increaseBounceIv: number
}

/** What a session calls. Only `obtain` may fail. */
export interface SessionHooks {
  /** Gets a `connectionId` from the backend. Rejects with a `ChannelstreamError` if it cannot. */
  obtain(signal: AbortSignal): Promise<void>
  beforeListening(): void
  opened(detail: unknown, socket: WebSocketLike | null): void
  /** New events, in order, without duplicates; an empty list is a heartbeat. Must stop once `signal` is aborted. */
  received(events: readonly ServerEvent[], signal: AbortSignal): void
  failed(detail: unknown, data?: unknown): void
  closed(detail: unknown): void
  malformed(frame: unknown): void
  /** The page is closed, or goes into the back/forward cache. */
  leaving(): void
  changed(status: StatusEvent): void
}

/** The server's intervals, in seconds. */
interface Hello {
  readonly type: 'hello'
  readonly heartbeat_interval?: number
  readonly wake_connections_after?: number
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: ChannelstreamError) => void
}

/**
 * Keeps the connection open. Gets one from the backend, listens with the first transport that works, and reconnects
 * after failures. Gets a new connection when the server no longer knows the old one. Does nothing before `start` and
 * after `stop`.
 */
export class Session {
  #controller: AbortController | undefined
  /** Set only here. */
  status: StatusEvent = { type: 'status', status: 'disconnected', transport: null }
  #position = new Position()
  #waiters: Waiter[] = []
  /** Consecutive attempts that received nothing. */
  #failures = 0
  #fruitless = 0
  /** A new connection was requested, and nothing has been received since. */
  #isRenewing = false
  readonly #cooldowns = new Cooldowns()
  #hello: Hello | undefined
  #isBackOnline = true
  #endPause = (): void => {}

  /** `transports`: in order of preference. */
  constructor(
    private readonly settings: SessionSettings,
    private readonly hooks: SessionHooks,
    private readonly transports: readonly Transport[],
  ) {}

  get isRunning(): boolean {
    return this.#controller !== undefined
  }

  /** Starts the session. If it is waiting for a retry, retries at once. */
  start(): void {
    this.#endPause()
    if (!this.#controller)
      this.#run((this.#controller = new AbortController()).signal).catch(report)
  }

  /** Starts after a delay, as after a failure. Does nothing if the session is running. */
  startLater(): void {
    if (!this.#controller)
      this.#run((this.#controller = new AbortController()).signal, true).catch(report)
  }

  /** Resolves when connected, immediately if it already is. Rejects when an attempt fails. */
  connected(): Promise<void> {
    if (this.status.status === 'connected') return Promise.resolve()
    // A listener may have stopped the session in the moment of its start.
    if (!this.isRunning) return Promise.reject(disconnected())
    return new Promise((resolve, reject) => void this.#waiters.push({ resolve, reject }))
  }

  /** Stops the session. `reason`: why, if the page did not ask for it. */
  stop(reason?: ChannelstreamError): void {
    this.#controller?.abort()
    this.#controller = undefined
    this.#endPause()
    for (const transport of this.transports) transport.release()
    this.#failures = 0
    this.#rejectWaiters(reason ?? disconnected())
    // Last, since a listener may start the session again.
    this.#setStatus({ status: 'disconnected', transport: null, ...(reason && { reason }) })
  }

  /** Resets the position: the next start does not catch up on missed events. */
  forget(): void {
    this.#position = new Position()
  }

  async #run(signal: AbortSignal, pauseFirst = false): Promise<void> {
    watchBrowser(
      {
        online: () => this.#online(),
        offline: () => this.#offline(),
        shown: () => this.#wake(),
        leaving: () => this.hooks.leaving(),
      },
      signal,
    )
    if (pauseFirst) await this.#pause({ next: 'resume' }, signal)
    while (!signal.aborted) {
      const ending = await this.#try(signal)
      if (signal.aborted) return
      if (ending.next === 'renew') this.#renew()
      if (ending.next === 'switch') continue
      if (ending.next === 'stay-away' || !this.settings.shouldReconnect)
        return this.stop(ending.error)
      await this.#pause(ending, signal)
    }
  }

  /**
   * The server is back, so the backoff starts again from the first step: clients that waited for the server are already
   * spread over time. Not if this happens repeatedly.
   */
  #renew(): void {
    if (!this.#isRenewing) this.#failures = 0
    this.#isRenewing = true
    this.settings.connectionId = null
  }

  async #try(signal: AbortSignal): Promise<Ending> {
    if (this.status.status !== 'connected')
      this.#setStatus({ status: 'connecting', transport: null })
    try {
      if (this.settings.connectionId === null) await this.hooks.obtain(signal)
    } catch (thrown) {
      const error = thrown as ChannelstreamError
      return { next: error.code === 'settings' ? 'stay-away' : 'resume', error }
    }
    if (!signal.aborted) this.hooks.beforeListening()
    return this.#listen(signal)
  }

  async #listen(signal: AbortSignal): Promise<Ending> {
    const error = new ChannelstreamError('settings', 'no transport is usable')
    let ending: Ending = { next: 'stay-away', error }
    for (const transport of this.#candidates()) {
      if (signal.aborted) return { next: 'ended' }
      ending = await this.#listenBy(transport, signal)
      if (ending.next !== 'fallback') return ending
      this.#cooldowns.start(transport)
    }
    // None works, so no transport is at fault.
    this.#cooldowns.endAll()
    return ending
  }

  /** The transports to try, in order of preference, without those in a cooldown. The last one has none. */
  #candidates(): Transport[] {
    const usable = this.transports.filter((transport) => transport.isUsable(this.settings))
    const last = usable.at(-1)
    return usable.filter((one) => one === last || !this.#cooldowns.isRunning(one))
  }

  async #listenBy(transport: Transport, signal: AbortSignal): Promise<Ending> {
    const { settings, hooks } = this
    const position = this.#position
    let hasOpened = false
    let hasReceived = false
    const transportHooks: TransportHooks = {
      reached: () => position.opened(),
      opened: (detail, socket) => {
        hasOpened = true
        this.#setStatus({ status: 'connected', transport: transport.name })
        if (signal.aborted) return
        hooks.opened(detail, socket ?? null)
      },
      received: (frame) => {
        // The page has disconnected when it was told of the opening.
        if (signal.aborted) return
        hasReceived = true
        // Heard while the browser says that it is offline.
        if (hasOpened) this.#setStatus({ status: 'connected', transport: transport.name })
        if (!this.#isGreeting(frame)) {
          this.#failures = 0
          this.#isRenewing = false
          this.#cooldowns.end(transport)
        }
        this.#receive(frame, position, signal)
      },
      failed: (detail, data) => hooks.failed(detail, data),
      shouldSwitch: () => this.#candidates()[0] !== transport,
    }
    const connectionId = settings.connectionId ?? ''
    const silenceMs = (): number => this.#silenceMs(transport)
    const target = {
      connectionId,
      get cursor() {
        return position.cursor
      },
      get silenceMs() {
        return silenceMs()
      },
    }
    for (const other of this.transports) if (other !== transport) other.release()
    const ending = await transport.listen(settings, target, transportHooks, signal)
    if (signal.aborted || ending.next === 'switch') return ending
    if (hasOpened) this.#setStatus({ status: 'connecting', transport: null })
    if (this.status.status !== 'connected') hooks.closed(ending.detail)
    if (hasReceived) this.#fruitless = 0
    else if (ending.next === 'resume' && ++this.#fruitless >= MAX_FRUITLESS)
      return { ...ending, next: this.#candidates().at(-1) === transport ? 'renew' : 'fallback' }
    return ending
  }

  /** As the page set it, but longer if the server's own intervals are. */
  #silenceMs({ name }: Transport): number {
    const { silenceTimeout } = this.settings
    if (!(silenceTimeout > 0)) return 0
    const { heartbeat_interval = 0, wake_connections_after = 0 } = this.#hello ?? {}
    const interval = name === 'longpoll' ? wake_connections_after : heartbeat_interval
    return Math.max(silenceTimeout, interval * MISSED_INTERVALS * 1000)
  }

  /**
   * Whether the frame has nothing but the server's intervals. It shows that the server knows the connection, but not
   * that events get through, so it does not reset the backoff.
   */
  #isGreeting(frame: unknown): boolean {
    const [first, ...others] = Array.isArray(frame) ? (frame as unknown[]) : []
    if (!isEvent(first) || !isHello(first)) return false
    this.#hello = first
    return others.length === 0
  }

  #receive(frame: unknown, position: Position, signal: AbortSignal): void {
    const events = Array.isArray(frame) ? frame.filter(isEvent) : []
    if (!Array.isArray(frame) || events.length < frame.length) this.hooks.malformed(frame)
    else if (events.length === 0) this.hooks.received([], signal)
    const fresh = events.filter((event) => !isHello(event) && position.advance(event))
    if (fresh.length > 0) this.hooks.received(fresh, signal)
  }

  /** Waits until the next attempt is due. While the browser is offline, waits for the longest delay. */
  async #pause({ next, error, retryInMs: asked }: Ending, signal: AbortSignal): Promise<void> {
    const { increaseBounceIv: step } = this.settings
    const retryInMs = asked ?? retryDelayMs(++this.#failures, step, { later: next === 'later' })
    const reason = error ?? new ChannelstreamError('closed', 'the connection ended')
    const status = isOffline() ? 'offline' : 'waiting'
    this.#setStatus({ status, transport: null, retryInMs, reason })
    if (signal.aborted) return
    this.#rejectWaiters(reason)
    await new Promise<void>((resolve) => {
      // Not unref'd: keeps a Node process alive, as an open socket would, so that it can reconnect.
      let timer = setTimeout(() => {
        // Not forever: some browsers say so while there is a network, and none is needed for localhost.
        if (isOffline()) timer = setTimeout(resolve, MAX_DELAY_MS - retryInMs)
        else resolve()
      }, retryInMs)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #wake(): void {
    this.#endPause()
    for (const transport of this.transports) transport.checkNow()
  }

  /** What is open stays so: the browser may be wrong. If something is received, the status is `connected` again. */
  #offline(): void {
    this.#isBackOnline = false
    this.#setStatus({ status: 'offline', transport: null })
  }

  /** The network may be another one. Then what is open is dead, and nothing would tell for a long time. */
  #online(): void {
    this.#endPause()
    if (!this.#isBackOnline) for (const transport of this.transports) transport.replace()
    this.#isBackOnline = true
  }

  #setStatus(status: Omit<StatusEvent, 'type'>): void {
    const { status: before, transport } = this.status
    const hasChanged = before !== status.status || transport !== status.transport
    this.status = { type: 'status', ...status }
    if (hasChanged) this.hooks.changed(this.status)
    if (this.status.status === 'connected')
      for (const { resolve } of this.#waiters.splice(0)) resolve()
  }

  #rejectWaiters(error: ChannelstreamError): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }
}

const isHello = (event: { type: string }): event is Hello => event.type === 'hello'

/** Checks only for a type, since this client may not know the type of a newer server's event. */
function isEvent(event: unknown): event is ServerEvent {
  return typeof (event as { type?: unknown } | null)?.type === 'string'
}

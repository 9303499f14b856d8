import { retryDelayMs } from './backoff.ts'
import { ChannelstreamError, report } from './errors.ts'
import { Position } from './position.ts'
import { isOffline, onWake } from './timing.ts'
import type { ServerEvent, StatusEvent } from './events.ts'
import type { Ears, Ending, Transport, TransportSettings, WebSocketLike } from './transport.ts'

/** After a WebSocket that did not work where polling does, it is tried again so much later, then twice as late, … */
const FIRST_REST_MS = 60_000
const LONGEST_REST_MS = 600_000
/** After so many listenings in a row that opened and ended without a frame, something else is tried. */
const MAX_FRUITLESS = 2

/** What may be set for a session, at any time. */
export interface SessionSettings extends TransportSettings {
  connectionId: string | null
  readonly shouldReconnect: boolean
  readonly increaseBounceIv: number
}

/** Whom a session asks and tells. None of them throws, but for `obtain`. */
export interface SessionHooks {
  /** Gets a `connectionId` from the backend. Rejects with a `ChannelstreamError` if it cannot. */
  obtain(signal: AbortSignal): Promise<void>
  beforeListening(): void
  opened(detail: unknown, socket: WebSocketLike | null): void
  /** New events, in order, each once; none: a sign of life. To be ended by `signal`, also midway. */
  received(events: readonly ServerEvent[], signal: AbortSignal): void
  failed(...detail: unknown[]): void
  closed(detail: unknown): void
  malformed(frame: unknown): void
  changed(status: StatusEvent): void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: ChannelstreamError) => void
}

/**
 * Keeps the connection open: gets one from the backend, listens by the first transport that works, comes back to it
 * after breaks, and gets another when the server does not know it any more. Does nothing until it is started, and
 * nothing after it was stopped.
 */
export class Session {
  #life: AbortController | undefined
  #status: StatusEvent = { type: 'status', status: 'disconnected', transport: null }
  #position = new Position()
  #waiters: Waiter[] = []
  /** Tries in a row after which nothing was heard. */
  #failures = 0
  #fruitless = 0
  /** Another connection is being asked for, and nothing was heard since. */
  #isRenewing = false
  #restMs = 0
  #restUntil = 0
  #cutPause = (): void => {}

  /** `transports`: the best first. */
  constructor(
    private readonly settings: SessionSettings,
    private readonly hooks: SessionHooks,
    private readonly transports: readonly Transport[],
  ) {}

  get isRunning(): boolean {
    return this.#life !== undefined
  }

  /** Starts if it does not run, and tries at once if it waits. */
  start(): void {
    this.#cutPause()
    if (!this.#life) this.#run((this.#life = new AbortController()).signal).catch(report)
  }

  /** Starts after a pause, as after a failure. Does nothing if it runs. */
  startLater(): void {
    if (!this.#life) this.#run((this.#life = new AbortController()).signal, true).catch(report)
  }

  /** Resolves once it is connected, at once if it is. Rejects when a try fails. */
  connected(): Promise<void> {
    if (this.#status.status === 'connected') return Promise.resolve()
    return new Promise((resolve, reject) => void this.#waiters.push({ resolve, reject }))
  }

  /** Ends everything that goes on. `reason`: why, if the page did not ask for it. */
  stop(reason?: ChannelstreamError): void {
    this.#life?.abort()
    this.#life = undefined
    this.#cutPause()
    this.#failures = 0
    this.#fail(reason ?? new ChannelstreamError('disconnected', 'the page disconnected'))
    // Last, since whoever hears of it may start anew.
    this.#tell({ status: 'disconnected', transport: null, ...(reason && { reason }) })
  }

  /** What is missed from now on is not asked for later. */
  forget(): void {
    this.#position = new Position()
  }

  async #run(signal: AbortSignal, pauseFirst = false): Promise<void> {
    onWake(() => this.#wake(), signal)
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
   * The server is there again, so the wait for another connection begins anew: whoever waited long for the server is
   * spread over time already. Unless this happens time and again.
   */
  #renew(): void {
    if (!this.#isRenewing) this.#failures = 0
    this.#isRenewing = true
    this.settings.connectionId = null
  }

  async #try(signal: AbortSignal): Promise<Ending> {
    if (this.#status.status !== 'connected') this.#tell({ status: 'connecting', transport: null })
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
    const error = new ChannelstreamError('settings', 'websocketUrl and longPollUrl cannot be used')
    let ending: Ending = { next: 'stay-away', error }
    for (const transport of this.#choice()) {
      if (signal.aborted) return { next: 'ended' }
      ending = await this.#listenBy(transport, signal)
      if (ending.next !== 'fallback') return ending
      this.#restMs = Math.min(Math.max(2 * this.#restMs, FIRST_REST_MS), LONGEST_REST_MS)
      this.#restUntil = performance.now() + this.#restMs
    }
    // None works: that says nothing against the best one.
    this.#restMs = this.#restUntil = 0
    return ending
  }

  /** The transports to try, the best first, without those that rest. */
  #choice(): Transport[] {
    const usable = this.transports.filter((transport) => transport.isUsable(this.settings))
    const isResting = usable.length > 1 && performance.now() < this.#restUntil
    return isResting ? usable.slice(1) : usable
  }

  async #listenBy(transport: Transport, signal: AbortSignal): Promise<Ending> {
    const { settings, hooks } = this
    const position = this.#position
    let hasOpened = false
    let hasHeard = false
    const ears: Ears = {
      opened: (detail, socket) => {
        hasOpened = true
        position.opened()
        this.#tell({ status: 'connected', transport: transport.name })
        if (signal.aborted) return
        hooks.opened(detail, socket ?? null)
        for (const { resolve } of this.#waiters.splice(0)) resolve()
      },
      heard: (frame) => {
        hasHeard = true
        this.#failures = 0
        this.#isRenewing = false
        if (transport === this.transports[0]) this.#restMs = 0
        this.#hear(frame, position, signal)
      },
      failed: (...detail) => hooks.failed(...detail),
      enough: () => this.#choice()[0] !== transport,
    }
    const connectionId = settings.connectionId ?? ''
    const place = {
      connectionId,
      get cursor() {
        return position.cursor
      },
    }
    for (const other of this.transports) if (other !== transport) other.letGo()
    const ending = await transport.listen(settings, place, ears, signal)
    if (signal.aborted || ending.next === 'switch') return ending
    if (hasOpened) this.#tell({ status: 'connecting', transport: null })
    if (this.#status.status !== 'connected') hooks.closed(ending.detail)
    if (hasHeard) this.#fruitless = 0
    else if (ending.next === 'resume' && ++this.#fruitless >= MAX_FRUITLESS)
      return { ...ending, next: this.#choice().length > 1 ? 'fallback' : 'renew' }
    return ending
  }

  #hear(frame: unknown, position: Position, signal: AbortSignal): void {
    if (signal.aborted) return
    const events = Array.isArray(frame) ? frame.filter(isEvent) : []
    if (!Array.isArray(frame) || events.length < frame.length) this.hooks.malformed(frame)
    else if (events.length === 0) this.hooks.received([], signal)
    const fresh = events.filter((event) => position.admit(event))
    if (fresh.length > 0) this.hooks.received(fresh, signal)
  }

  /** Until it is time for the next try, and longer while there is no network. */
  async #pause({ next, error }: Ending, signal: AbortSignal): Promise<void> {
    const { increaseBounceIv } = this.settings
    const retryInMs = retryDelayMs(++this.#failures, increaseBounceIv, { later: next === 'later' })
    const reason = error ?? new ChannelstreamError('closed', 'the connection has ended')
    this.#tell({ status: 'waiting', transport: null, retryInMs, reason })
    if (signal.aborted) return
    this.#fail(reason)
    await new Promise<void>((resolve) => {
      // Keeps a Node process alive, as an open socket would: it is to come back.
      const timer = setTimeout(() => isOffline() || resolve(), retryInMs)
      this.#cutPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #wake(): void {
    this.#cutPause()
    for (const transport of this.transports) transport.lookNow()
  }

  #tell(status: Omit<StatusEvent, 'type'>): void {
    const { status: before, transport } = this.#status
    const isNews = before !== status.status || transport !== status.transport
    this.#status = { type: 'status', ...status }
    if (isNews) this.hooks.changed(this.#status)
  }

  #fail(error: ChannelstreamError): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }
}

/** As much as can be told of an event whose type may be a newer one than this client knows. */
function isEvent(event: unknown): event is ServerEvent {
  return typeof (event as { type?: unknown } | null)?.type === 'string'
}

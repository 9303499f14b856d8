import { backoffMs } from '../lib/backoff.ts'
import { inBackground } from '../lib/in-background.ts'
import { StoreUnavailable } from '../store/store.ts'
import {
  MAX_EVENTS_PER_REQUEST,
  MAX_REQUEST_CHARACTERS,
  bodyOf,
  lanesOf,
  requestsOf,
  resyncText,
} from './bodies.ts'
import { FailureLog } from './failure-log.ts'
import { Pause } from './pause.ts'
import type { Clock } from '../lib/clock.ts'
import type { EndpointStatus, QueuePart, WebhookQueue } from '../store/webhook-queue.ts'
import type { Endpoint } from './endpoint.ts'
import type { Log } from './failure-log.ts'
import type { HttpPost, PostFailure } from './http-post.ts'

/** How long events are gathered. */
const GATHER_MS = 50
/** How often a server looks whether it may take over an endpoint, and whether a call for new events was lost. */
const CHECK_MS = 1000
const RETRY = { firstMs: 1000, mostMs: 60_000 }
/** Between retries of a server that stops. */
const LAST_RETRY_MS = 500
/** How often successes are noted for the admin panel. */
const NOTE_INTERVAL_MS = 5000

export interface SenderDeps {
  readonly endpoint: Endpoint
  readonly queue: WebhookQueue
  readonly http: HttpPost
  readonly clock: Clock
  readonly logger: Log
  /** Requests at the same time. */
  readonly connections: number
  readonly installation: string
  readonly onFault: (error: unknown) => void
}

export interface SenderCounts {
  readonly deliveredEvents: number
  /** Requests by result: `ok`, a status, or `error`. */
  readonly requests: Readonly<Record<string, number>>
}

/** Thrown to leave a delivery: the server has stopped, or another one sends to the endpoint now. */
class Abandoned extends Error {}

/**
 * Sends the queue to one endpoint: at least once, and in order for each subject. A failed request is repeated until it
 * succeeds; what follows it waits.
 */
export class Sender {
  readonly #log: FailureLog
  readonly #pause: Pause
  #status: EndpointStatus = {
    failures: 0,
    lastError: null,
    lastErrorAt: null,
    lastSuccessAt: null,
  }
  #notedAt = -Infinity
  #isStopping = false
  #isOver = false
  #running: Promise<void> = Promise.resolve()
  #deliveredEvents = 0
  readonly #requests = new Map<string, number>()

  constructor(private readonly deps: SenderDeps) {
    this.#log = new FailureLog(deps.logger, deps.clock, deps.endpoint.shown)
    this.#pause = new Pause(deps.clock)
  }

  get endpoint(): Endpoint {
    return this.deps.endpoint
  }

  start(): void {
    this.#running = this.#run().catch(this.deps.onFault)
  }

  /** Call when events may have been added. */
  added(): void {
    this.#pause.call()
  }

  counts(): SenderCounts {
    const requests = Object.fromEntries(this.#requests)
    return { deliveredEvents: this.#deliveredEvents, requests }
  }

  /**
   * Stops within about `graceMs`. If the queue ends with this server, sends as much of it as possible before that.
   * Otherwise finishes the requests in progress, and lets another server take over.
   */
  async stop(graceMs: number): Promise<void> {
    const { clock, http, queue, endpoint, onFault } = this.deps
    this.#isStopping = true
    this.#pause.interrupt()
    const cancel = clock.after(graceMs, () => {
      this.#isOver = true
      this.#pause.interrupt()
      inBackground(http.close(), onFault)
    })
    await this.#running
    cancel()
    await http.close()
    try {
      if (queue.outlivesServer) await queue.release(endpoint.id)
      else await this.#reportLoss()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error // the lease of this server runs out
    }
  }

  async #run(): Promise<void> {
    while (!this.#isFinished) {
      try {
        if (!(await this.#sendNext())) return
      } catch (error) {
        if (error instanceof Abandoned) continue
        if (!(error instanceof StoreUnavailable)) throw error
        await this.#pause.wait(CHECK_MS)
      }
    }
  }

  /** A queue that outlives this server needs no further request once the server stops. */
  get #isFinished(): boolean {
    return this.#isOver || (this.#isStopping && this.deps.queue.outlivesServer)
  }

  /** Sends the next part, or waits for one. Returns false if there is none and the server stops. */
  async #sendNext(): Promise<boolean> {
    const { queue, endpoint, connections } = this.deps
    const part = await queue.read(endpoint.id, {
      mostEvents: MAX_EVENTS_PER_REQUEST * connections,
      mostBytes: MAX_REQUEST_CHARACTERS * connections,
    })
    if (part === 'elsewhere') await this.#pause.wait(CHECK_MS)
    else if (part.events.length > 0 || part.resync) {
      await this.#deliver(part)
      await queue.confirm(endpoint.id, part)
      if (part.events.length < MAX_EVENTS_PER_REQUEST) await this.#gather()
    } else {
      if (this.#isStopping) return false
      const isAdded = await this.#pause.waitForCall(CHECK_MS)
      if (isAdded) await this.#gather()
    }
    return true
  }

  async #gather(): Promise<void> {
    if (!this.#isStopping) await this.#pause.wait(GATHER_MS)
  }

  async #deliver(part: QueuePart): Promise<void> {
    const { queue, clock, connections } = this.deps
    const { resync } = part
    // Alone and first: events of the other lanes must not arrive before it.
    if (resync) await this.#send([resyncText({ ...part, resync }, queue.epoch, clock.wallTime())])
    const lanes = lanesOf(part.events, connections).map(async (lane) => {
      for (const texts of requestsOf(lane)) await this.#send(texts)
    })
    const results = await Promise.allSettled(lanes)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Resolves when the endpoint has taken the events. */
  async #send(texts: readonly string[]): Promise<void> {
    const { http, queue, installation } = this.deps
    for (let failures = 0; ; failures++) {
      if (this.#isOver) throw new Abandoned()
      const failure = await http.post(bodyOf({ installation, epoch: queue.epoch }, texts))
      this.#count(failure?.result ?? 'ok')
      if (!failure) {
        this.#deliveredEvents += texts.length
        return this.#noteSuccess()
      }
      await this.#noteFailure(failure, failures)
    }
  }

  /** Waits for the next attempt. Throws `Abandoned` if there is none. */
  async #noteFailure({ reason, retryAfterMs }: PostFailure, failures: number): Promise<void> {
    if (this.#isOver) throw new Abandoned()
    const delay = this.#isStopping ? LAST_RETRY_MS : (retryAfterMs ?? backoffMs(failures, RETRY))
    this.#log.failed(reason, delay)
    const now = Math.floor(this.deps.clock.wallTime())
    this.#status = {
      ...this.#status,
      failures: this.#status.failures + 1,
      lastError: reason,
      lastErrorAt: now,
    }
    if (!(await this.#note())) throw new Abandoned()
    // A stop that came meanwhile has interrupted no wait.
    if (this.#isFinished) throw new Abandoned()
    await this.#pause.wait(this.#isStopping ? LAST_RETRY_MS : delay)
    if (this.#isFinished || !(await this.#note())) throw new Abandoned()
  }

  async #noteSuccess(): Promise<void> {
    const { clock } = this.deps
    this.#log.succeeded()
    const wasFailing = this.#status.failures > 0
    const lastSuccessAt = Math.floor(clock.wallTime())
    this.#status = { ...this.#status, failures: 0, lastSuccessAt }
    if (wasFailing || clock.now() - this.#notedAt > NOTE_INTERVAL_MS) await this.#note()
  }

  /** Returns false if another server sends to the endpoint now. */
  async #note(): Promise<boolean> {
    this.#notedAt = this.deps.clock.now()
    try {
      return await this.deps.queue.note(this.deps.endpoint.id, this.#status)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      // Another server may send to the endpoint by the time the store is back: read again.
      return false
    }
  }

  #count(result: string): void {
    this.#requests.set(result, (this.#requests.get(result) ?? 0) + 1)
  }

  async #reportLoss(): Promise<void> {
    const { queue, endpoint } = this.deps
    const figures = (await queue.figures([endpoint.id])).get(endpoint.id)
    if (figures && figures.queued > 0) this.#log.lost(figures.queued)
  }
}

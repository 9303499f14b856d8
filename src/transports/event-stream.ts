import { destroyPaced } from '../net/unread.ts'
import { Uptake } from '../net/unsent.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { streamClosed } from '../protocol/event-stream.ts'
import { BROKE_OFF } from './frame-socket.ts'
import { chunkedStream, plainStream } from './sse-bytes.ts'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Batch } from '../core/delivery/batch.ts'
import type { LiveConnection, Sink } from '../core/delivery/connection.ts'
import type { Sessions } from '../core/sessions/sessions.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { Closings } from './closings.ts'
import type { StreamForm } from './sse-bytes.ts'

export interface EventStreamOptions {
  readonly sessions: Sessions
  readonly clock: Clock
  /** A `hello` as JSON. */
  readonly hello: string
  /** The time in which a client has to show that it is alive. Streams end earlier. */
  readonly gcConnsMs: number
  readonly closings: Closings
}

/** The headers of event streams, in addition to those of all responses. Proxies must pass events on at once. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
}

/** How long streams live, as shares of `gcConnsMs`. Streams that open together end in different steps. */
const LIFE = { shortest: 0.6, spread: 0.2, steps: 64 }
/** The time that a client has to read the end of a stream that the server closes. Then its socket is destroyed. */
const CLOSE_TIMEOUT_MS = 3_000

/** Milliseconds, from and to, after which a client should come back. */
type Wait = readonly [number, number]
const AFTER_BREAK: Wait = [1_000, 3_000]
const AFTER_LIFE: Wait = [50, 250]
const AFTER_CLOSE: Wait = [500, 5_000]
/** Otherwise two clients with the same connection would take it from each other all the time. */
const AFTER_REPLACED: Wait = [45_000, 60_000]

/** Returns the field that says when to come back. The time is random, so that not all clients come at once. */
const retry = ([from, to]: Wait): string =>
  `retry: ${Math.round(from + Math.random() * (to - from))}\n`

/** Returns the body of a stream that ends at once, and asks the client to come back. */
export const comeBack = (why: string): string => `: ${why}\n${retry(AFTER_CLOSE)}\n`

/** `EventSource` ignores the event unless the page listens for it. It keeps the time to come back. */
function farewell(reason: CloseReason): string {
  const { retryAfterMs } = reason
  const inAll = reason === CLOSE.replaced ? AFTER_REPLACED : AFTER_CLOSE
  const wait = retry(retryAfterMs === undefined ? inAll : [retryAfterMs, retryAfterMs])
  return `${wait}event: close\ndata: ${streamClosed(reason)}\n\n`
}

/** Takes the response from the framework. Returns the headers that it would have. */
export type TakeResponse = () => Readonly<OutgoingHttpHeaders>

let created = 0

function nextLifeMs(gcConnsMs: number): number {
  const step = created++ % LIFE.steps
  return Math.ceil(gcConnsMs * (LIFE.shortest + (LIFE.spread * step) / LIFE.steps))
}

/**
 * A sink that writes Server-Sent Events. The response begins when the client is attached: refusals are ordinary
 * responses.
 *
 * The client cannot write back, so only its request shows that it is alive. The stream therefore ends by itself in time,
 * and the client comes back, as one that polls does.
 */
export class EventStream implements Sink {
  readonly kind = 'stream'
  #form: StreamForm = chunkedStream
  #connection: LiveConnection | undefined
  #reason: CloseReason | undefined
  #isLifeOver = false
  #isEnded = false
  #isClosed = false
  /** The number of the last event before the events that the system did not accept. */
  #refusedAfter: number | undefined
  readonly #uptake = new Uptake()
  #cancelTimer: Cancel
  #takeResponse: TakeResponse | undefined

  constructor(
    private readonly response: ServerResponse,
    takeResponse: TakeResponse,
    private readonly options: EventStreamOptions,
  ) {
    this.#takeResponse = takeResponse
    const { clock, gcConnsMs } = options
    this.#cancelTimer = clock.after(nextLifeMs(gcConnsMs), () => this.#endLife())
  }

  get hasBegun(): boolean {
    return this.#takeResponse === undefined
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** False as long as earlier requests of the same socket are unanswered. */
  get writable(): boolean {
    const { socket } = this.response
    return !this.#isEnded && socket?.writable === true && !socket.writableNeedDrain
  }

  get held(): number {
    return this.response.socket?.writableLength ?? 0
  }

  /** Begins the response. `position`: an id from which the client can continue if it gets no event. */
  open(connection?: LiveConnection, position?: string): void {
    this.#connection = connection
    if (this.#isClosed) this.closed()
    else if (this.response.socket) this.#opened(position)
    else this.response.once('socket', () => this.#opened(position))
  }

  send(batch: Batch, after: number): void {
    this.#begin()
    this.#write(batch.bytes(this.#form), after)
  }

  heartbeat(): void {
    if (this.hasBegun && this.writable) this.#write(this.#form.heartbeat)
  }

  progressed(): boolean {
    return this.#uptake.hasProgressed(this.response.socket)
  }

  close(reason: CloseReason): void {
    this.#reason ??= reason
    if (this.hasBegun) this.#end(farewell(this.#reason), CLOSE_TIMEOUT_MS)
  }

  abandon(): void {
    destroyPaced(this.response.req.socket)
  }

  /** Events that the system has accepted may still arrive, so they count as sent. */
  release(): number | undefined {
    return this.#refusedAfter
  }

  /** Called when the response has ended, or when the client went away before that. */
  closed(): void {
    if (!this.#isClosed) this.options.closings.note('event_stream', this.#reason?.code ?? BROKE_OFF)
    this.#isClosed = true
    this.#isEnded = true
    this.#cancelTimer()
    if (this.#connection) this.options.sessions.lost(this.#connection, this, 'answered')
  }

  #opened(position: string | undefined): void {
    this.#begin(position)
    if (this.#reason) this.close(this.#reason)
    else if (this.#isLifeOver) this.#endLife()
    else this.#drained()
  }

  #begin(position?: string): void {
    const { response, options } = this
    const { socket } = response
    if (!this.#takeResponse || !socket) return
    response.writeHead(200, { ...this.#takeResponse(), ...STREAM_HEADERS })
    this.#takeResponse = undefined
    socket.cork()
    response.flushHeaders()
    this.#form = response.chunkedEncoding ? chunkedStream : plainStream
    const id = position === undefined ? '' : `id: ${position}\n`
    const hello = `event: hello\n${id}data: ${options.hello}\n\n`
    this.#write(this.#form.text(`${retry(AFTER_BREAK)}\n${hello}`))
    socket.uncork()
  }

  /**
   * Writes to the socket below the response, so that the framing need not be made for each client. `after`: the number
   * of the last event before the written ones. Undefined if no events are written.
   */
  #write(bytes: Buffer, after?: number): void {
    const { socket } = this.response
    if (socket?.writable === true && !socket.write(bytes))
      socket.once('drain', () => (this.#isLifeOver ? this.#endLife() : this.#drained()))
    // The client has ended or reset the connection, and the response does not know yet.
    if (socket?.writable !== true) this.#refusedAfter ??= after
  }

  #drained(): void {
    if (this.#connection) this.options.sessions.drained(this.#connection, this)
  }

  /**
   * Asks the client to come back at once, unless another client has taken over. What waits for the client comes first: a
   * client on a slow line would get the end too late.
   */
  #endLife(): void {
    this.#isLifeOver = true
    if (!this.hasBegun) return
    if (this.#connection?.sink !== this) return this.close(CLOSE.replaced)
    this.#drained()
    if (this.response.socket?.writableNeedDrain === true) return
    this.#end(`${retry(AFTER_LIFE)}\n`, this.options.gcConnsMs)
  }

  #end(text: string, withinMs: number): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#cancelTimer()
    const { response, options } = this
    this.#cancelTimer = options.clock.after(withinMs, () => destroyPaced(response.req.socket))
    response.end(text)
  }
}

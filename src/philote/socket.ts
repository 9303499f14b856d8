import { inBackground } from '../lib/in-background.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { FrameSocket } from '../transports/frame-socket.ts'
import { textFrames } from '../transports/websocket-frames.ts'
import type { Batch, WireForm } from '../core/delivery/batch.ts'
import type { Guest } from '../core/delivery/guest.ts'
import type { Guests } from '../core/sessions/guests.ts'
import type { Clock } from '../lib/clock.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { Awaitable } from '../store/store.ts'
import type { PhiloteMessage } from './incoming.ts'

/** What differs between the generations after a socket is open. */
export interface Dialect {
  /** The format of outgoing messages. */
  readonly form: WireForm
  /** Returns undefined if the frame is not a message. */
  read(frame: string): PhiloteMessage | undefined
  /** Whether an invalid message closes the socket. Otherwise it is ignored. */
  readonly isStrict: boolean
  /** Publishes a guest's message; synchronously where that is possible. */
  publish(guest: Guest, message: PhiloteMessage): Awaitable<void>
  /** Called when the guest's socket has closed. */
  onGuestClosed?(guest: Guest): void
}

export interface SocketOptions {
  readonly guests: Guests
  readonly clock: Clock
  readonly dialect: Dialect
  /** Messages, pings and pongs that a client may send in each `windowMs`; 0 for no limit. */
  readonly maxFrames: number
  readonly windowMs: number
  /** Counts how sockets end. */
  readonly closings?: { note(transport: 'philote', code: number): void } | undefined
  readonly onFault: (error: unknown) => void
  /** Called when a client wrote to a channel without permission. */
  readonly onRefusedWrite: () => void
  readonly onClosed: (socket: PhiloteSocket) => void
}

/**
 * The socket of a Philote client. It reads messages after `start`, and publishes them in the order in which they were
 * sent. It reads nothing more while one of them is being published.
 */
export class PhiloteSocket extends FrameSocket {
  #guest: Guest | undefined
  #mayWrite: ReadonlySet<string> = new Set()
  /** Messages read while another one is being published; else undefined. At most those of one network read. */
  #waiting: PhiloteMessage[] | undefined
  #frames = 0
  #windowEnd = 0

  constructor(
    private readonly options: SocketOptions,
    /** Whether the client requested error messages for dropped messages. */
    private readonly reportsErrors: boolean,
  ) {
    super()
  }

  start(guest: Guest, mayWrite: ReadonlySet<string>): void {
    this.#guest = guest
    this.#mayWrite = mayWrite
    this.resume()
  }

  get isStarted(): boolean {
    return this.#guest !== undefined
  }

  /** Reads nothing until `start`. */
  waitForStart(): void {
    this.pause()
  }

  /** Sends a text frame. */
  sendText(text: string): void {
    this.write(textFrames([Buffer.from(text)]))
  }

  /** Sends the messages of a batch. Philote has no presence and other events. */
  send(batch: Batch): void {
    const bytes = batch.bytes(this.options.dialect.form)
    if (bytes.length > 0) this.write(bytes)
  }

  /** Does nothing: Philote has no heartbeats. TCP keep-alive finds lost connections. */
  heartbeat(): void {}

  received(frame: Buffer): void {
    if (this.isClosing) return
    if (this.#isFlood()) return this.#expel(CLOSE.tooManyMessages)
    const { dialect, onRefusedWrite } = this.options
    const message = dialect.read(frame.toString())
    if (message && this.#mayWrite.has(message.channel)) return this.#publish(message)
    if (!message && dialect.isStrict) return this.#expel(CLOSE.notPhilote)
    if (message) onRefusedWrite()
    this.#reportError(message ? { error: 'not permitted', channel: message.channel } : NO_MESSAGE)
  }

  /** Pauses reading for a slow consumer: each ping has been answered, and the answers would pile up. */
  showedLife(): void {
    if (this.isClosing) return
    if (this.#isFlood()) this.#expel(CLOSE.tooManyMessages)
    else if (!this.writable) this.pauseUntilRead()
  }

  drained(): void {
    if (this.#guest) this.options.guests.drained(this.#guest)
  }

  closed(code: number): void {
    this.options.closings?.note('philote', code)
    if (this.#guest) {
      this.options.guests.close(this.#guest)
      this.options.dialect.onGuestClosed?.(this.#guest)
    }
    this.options.onClosed(this)
  }

  #publish(message: PhiloteMessage): void {
    const guest = this.#guest
    if (!guest) return
    if (this.#waiting) {
      this.#waiting.push(message)
      return
    }
    try {
      const publishing = this.options.dialect.publish(guest, message)
      if (publishing instanceof Promise)
        inBackground(this.#publishInOrder(guest, publishing), this.options.onFault)
    } catch (error) {
      this.#fail(error)
    }
  }

  async #publishInOrder(guest: Guest, first: Promise<void>): Promise<void> {
    const waiting: PhiloteMessage[] = (this.#waiting = [])
    this.pause()
    try {
      await first
      // The list may grow during the loop.
      for (const message of waiting) await this.options.dialect.publish(guest, message)
    } catch (error) {
      this.#fail(error)
    }
    this.#waiting = undefined
    this.resume()
  }

  /** Closes the socket: the message may be lost, and the client cannot be notified of a single message. */
  #fail(error: unknown): void {
    this.options.onFault(error)
    this.#expel(CLOSE.unavailable)
  }

  #expel(reason: CloseReason): void {
    if (this.#guest) this.options.guests.expel(this.#guest, reason)
    this.close(reason)
    this.stopReading()
  }

  #isFlood(): boolean {
    const { clock, maxFrames, windowMs } = this.options
    if (maxFrames === 0) return false
    const now = clock.now()
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + windowMs
      this.#frames = 0
    }
    return ++this.#frames > maxFrames
  }

  /** Sends an error, but not to a slow consumer: errors must not pile up. */
  #reportError(error: object): void {
    if (this.reportsErrors && this.writable) this.sendText(`${JSON.stringify(error)}\n`)
  }
}

const NO_MESSAGE = { error: 'not a message' }

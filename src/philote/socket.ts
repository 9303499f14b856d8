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
import type { Written } from './incoming.ts'

/** What the generations do differently once a socket is open. */
export interface Dialect {
  /** How messages are written. */
  readonly form: WireForm
  /** Undefined: it is no message. */
  read(frame: string): Written | undefined
  /** Whether what is no message closes the socket; else it is passed over. */
  readonly isStrict: boolean
  /** Hands on what a guest wrote; at once where that is possible. */
  say(guest: Guest, written: Written): Awaitable<void>
  /** The guest has gone. */
  gone?(guest: Guest): void
}

export interface SocketOptions {
  readonly guests: Guests
  readonly clock: Clock
  readonly dialect: Dialect
  /** Messages, pings and pongs that a client may send in each `windowMs`; 0 for no limit. */
  readonly maxFrames: number
  readonly windowMs: number
  readonly onFault: (error: unknown) => void
  /** A client wrote to a channel that it may not write to. */
  readonly onRefusedWrite: () => void
  readonly onClosed: (socket: PhiloteSocket) => void
}

/**
 * The socket of a Philote client. It is heard once it is admitted; messages of one socket are handed on in the order in
 * which they were sent, and no more is read from it while one of them is under way.
 */
export class PhiloteSocket extends FrameSocket {
  #guest: Guest | undefined
  #mayWrite: ReadonlySet<string> = new Set()
  /** What was read while a message was under way; undefined while none is. At most what one read of the network held. */
  #waiting: Written[] | undefined
  #frames = 0
  #windowEnd = 0

  constructor(
    private readonly options: SocketOptions,
    /** Whether the client asked to be told what was done with its messages when they were dropped. */
    private readonly tellsErrors: boolean,
  ) {
    super()
  }

  admit(guest: Guest, mayWrite: ReadonlySet<string>): void {
    this.#guest = guest
    this.#mayWrite = mayWrite
    this.resume()
  }

  get isAdmitted(): boolean {
    return this.#guest !== undefined
  }

  /** Reads nothing until the client is admitted. */
  wait(): void {
    this.pause()
  }

  /** One frame with this text. */
  tell(text: string): void {
    this.write(textFrames([Buffer.from(text)]))
  }

  /** Presence and the like are nothing to Philote. */
  send(batch: Batch): void {
    const bytes = batch.bytes(this.options.dialect.form)
    if (bytes.length > 0) this.write(bytes)
  }

  /** Philote knows none. TCP finds out who is gone. */
  heartbeat(): void {}

  received(message: Buffer): void {
    if (this.isClosing) return
    if (this.#isFlood()) return this.#expel(CLOSE.tooManyMessages)
    const { dialect, onRefusedWrite } = this.options
    const written = dialect.read(message.toString())
    if (written && this.#mayWrite.has(written.channel)) return this.#say(written)
    if (!written && dialect.isStrict) return this.#expel(CLOSE.notPhilote)
    if (written) onRefusedWrite()
    this.#complain(written ? { error: 'not permitted', channel: written.channel } : NO_MESSAGE)
  }

  /** Each ping has been answered: without a reader the answers would pile up. */
  showedLife(): void {
    if (this.isClosing) return
    if (this.#isFlood()) this.#expel(CLOSE.tooManyMessages)
    else if (!this.writable) this.pauseUntilRead()
  }

  drained(): void {
    if (this.#guest) this.options.guests.drained(this.#guest)
  }

  closed(): void {
    if (this.#guest) {
      this.options.guests.close(this.#guest)
      this.options.dialect.gone?.(this.#guest)
    }
    this.options.onClosed(this)
  }

  #say(written: Written): void {
    const guest = this.#guest
    if (!guest) return
    if (this.#waiting) {
      this.#waiting.push(written)
      return
    }
    try {
      const saying = this.options.dialect.say(guest, written)
      if (saying instanceof Promise)
        inBackground(this.#sayInTurn(guest, saying), this.options.onFault)
    } catch (error) {
      this.#failed(error)
    }
  }

  async #sayInTurn(guest: Guest, first: Promise<void>): Promise<void> {
    const waiting: Written[] = (this.#waiting = [])
    this.pause()
    try {
      await first
      // Grows while it is walked through.
      for (const written of waiting) await this.options.dialect.say(guest, written)
    } catch (error) {
      this.#failed(error)
    }
    this.#waiting = undefined
    this.resume()
  }

  /** What the client wrote may be lost, and it cannot be told of a single message. */
  #failed(error: unknown): void {
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

  /** Left out while the client reads slowly: complaints must not pile up. */
  #complain(complaint: object): void {
    if (this.tellsErrors && this.writable) this.tell(`${JSON.stringify(complaint)}\n`)
  }
}

const NO_MESSAGE = { error: 'not a message' }

/** From what a socket brings to the bytes of a body, with little more memory than the body has. */
import { grown, grownSize } from '../net/grown.ts'
import { paceReading } from '../net/paced-reading.ts'
import { announcedLength } from '../net/unread-rest.ts'
import { RequestError } from '../protocol/errors.ts'
import type { IncomingMessage } from 'node:http'

/** A body that came whole. It counts as held until it is released. */
export interface Body {
  readonly bytes: Buffer
  release(): void
}

export type BodyDone = (error: Error | undefined, body?: Body) => void

/** So many pieces as a body is cut into, and so few bytes in each of them: from here on its socket is read little by little. */
const MANY_PIECES = 1000
const SMALL_PIECE_BYTES = 128

/**
 * Reads bodies. All that are under way together, of all sockets, may hold `maxHeldBytes`: a body counts from its first byte
 * on, with the memory that is reserved for it, until it is released or given up.
 *
 * A body holds at most twice its bytes, however it is cut up. Kept as the pieces in which it comes, one that comes byte by byte
 * would hold a hundred times as much.
 */
export class BodyReader {
  #held = 0

  constructor(private readonly maxHeldBytes: number) {}

  /** Bytes that are held now. */
  get held(): number {
    return this.#held
  }

  /**
   * Tells `done` the body of `request`, or why there is none: `TOO_LARGE` (413) past `maxBytes`, `BUSY` (503) where all bodies
   * together would be too much, `UNREADABLE` (400) where it broke off. What else comes is not kept.
   */
  read(request: IncomingMessage, maxBytes: number, done: BodyDone): void {
    const length = announcedLength(request)
    if (length !== undefined && length > maxBytes) return done(new RequestError('TOO_LARGE'))
    new Reading(this, request, length ?? maxBytes, done).begin()
  }

  /** Counts so many bytes more, or fewer. False: they would be too many, and are not counted. */
  count(bytes: number): boolean {
    if (bytes > 0 && this.#held + bytes > this.maxHeldBytes) return false
    this.#held += bytes
    return true
  }
}

const NOTHING: Buffer = Buffer.alloc(0)

class Reading implements Body {
  /** What has come, and room for more. At first the first piece as it came: as a rule there is no other. */
  #buffer: Buffer = NOTHING
  #length = 0
  #pieces = 0

  constructor(
    private readonly reader: BodyReader,
    private readonly request: IncomingMessage,
    /** What it may have at most. */
    private readonly most: number,
    private readonly done: BodyDone,
  ) {}

  get bytes(): Buffer {
    return this.#buffer.length === this.#length
      ? this.#buffer
      : this.#buffer.subarray(0, this.#length)
  }

  begin(): void {
    this.request.on('data', this.#take)
    this.request.on('end', this.#finish)
    this.request.on('error', this.#breakOff)
  }

  release(): void {
    this.reader.count(-this.#buffer.length)
    this.#buffer = NOTHING
    this.#length = 0
  }

  readonly #take = (piece: Buffer): void => {
    const length = this.#length + piece.length
    if (length > this.most) return this.#refuse(new RequestError('TOO_LARGE'))
    if (!this.#makeRoom(length, piece)) return this.#refuse(new RequestError('BUSY'))
    this.#length = length
    if (++this.#pieces === MANY_PIECES && length < MANY_PIECES * SMALL_PIECE_BYTES)
      paceReading(this.request.socket)
  }

  /** Keeps the piece. False: nobody may hold so much more. */
  #makeRoom(length: number, piece: Buffer): boolean {
    const had = this.#buffer.length
    if (had === 0) {
      if (!this.reader.count(piece.length)) return false
      this.#buffer = piece
      return true
    }
    if (length > had) {
      const size = grownSize(length, had, this.most)
      if (!this.reader.count(size - had)) return false
      this.#buffer = grown(this.#buffer, this.#length, size)
    }
    piece.copy(this.#buffer, this.#length)
    return true
  }

  readonly #finish = (): void => {
    this.#stop()
    this.done(undefined, this)
  }

  readonly #breakOff = (): void => this.#refuse(new RequestError('UNREADABLE'))

  #refuse(error: RequestError): void {
    this.#stop()
    this.release()
    this.done(error)
  }

  #stop(): void {
    this.request.off('data', this.#take)
    this.request.off('end', this.#finish)
    this.request.off('error', this.#breakOff)
  }
}

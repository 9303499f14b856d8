/** Reads request bodies from sockets, with little more memory than the bytes of a body. */
import { grown, grownSize } from '../net/grown.ts'
import { paceReading } from '../net/paced-reading.ts'
import { announcedLength } from '../net/unread-rest.ts'
import { RequestError } from '../protocol/errors.ts'
import type { IncomingMessage } from 'node:http'

/** A complete body. Its memory counts as held until it is released. */
export interface Body {
  readonly bytes: Buffer
  release(): void
}

export type BodyDone = (error: Error | undefined, body?: Body) => void

/**
 * A body of this many chunks, with fewer than `SMALL_PIECE_BYTES` each on average, slows down the reading of its
 * socket.
 */
const MANY_PIECES = 1000
const SMALL_PIECE_BYTES = 128

/**
 * Reads bodies. All bodies in progress, on all sockets, may hold `maxHeldBytes` together. The memory reserved for a
 * body counts from its first byte until the body is released or abandoned.
 *
 * A body holds at most twice its bytes, however it is cut up. If its chunks were kept as they arrive, a body that
 * arrives byte by byte would hold a hundred times its size.
 */
export class BodyReader {
  #held = 0

  constructor(private readonly maxHeldBytes: number) {}

  /** Bytes that are held now. */
  get held(): number {
    return this.#held
  }

  /**
   * Calls `done` with the body of `request` or with an error: `TOO_LARGE` (413) above `maxBytes`, `BUSY` (503) if all
   * bodies together would hold too much, `UNREADABLE` (400) if the connection broke off. The rest of a refused body is
   * not kept.
   */
  read(request: IncomingMessage, maxBytes: number, done: BodyDone): void {
    const length = announcedLength(request)
    if (length !== undefined && length > maxBytes) return done(new RequestError('TOO_LARGE'))
    new Reading(this, request, length ?? maxBytes, done).begin()
  }

  /** Adds `bytes`, which may be negative, to the held bytes. Returns false, and adds nothing, above the limit. */
  count(bytes: number): boolean {
    if (bytes > 0 && this.#held + bytes > this.maxHeldBytes) return false
    this.#held += bytes
    return true
  }
}

const NOTHING: Buffer = Buffer.alloc(0)

class Reading implements Body {
  /** Received bytes and spare capacity. The first chunk is kept without copying, because most bodies have only one. */
  #buffer: Buffer = NOTHING
  #length = 0
  #pieces = 0

  constructor(
    private readonly reader: BodyReader,
    private readonly request: IncomingMessage,
    /** The maximum size in bytes. */
    private readonly maxBytes: number,
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
    if (length > this.maxBytes) return this.#refuse(new RequestError('TOO_LARGE'))
    if (!this.#makeRoom(length, piece)) return this.#refuse(new RequestError('BUSY'))
    this.#length = length
    if (++this.#pieces === MANY_PIECES && length < MANY_PIECES * SMALL_PIECE_BYTES)
      paceReading(this.request.socket)
  }

  /** Stores a chunk. Returns false if it would exceed the limit of held bytes. */
  #makeRoom(length: number, piece: Buffer): boolean {
    const had = this.#buffer.length
    if (had === 0) {
      if (!this.reader.count(piece.length)) return false
      this.#buffer = piece
      return true
    }
    if (length > had) {
      const size = grownSize(length, had, this.maxBytes)
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

import { IncomingMessage } from 'node:http'
import { grown, grownSize } from './grown.ts'

const NOTHING: Buffer = Buffer.alloc(0)
/** Bytes of an unread body that are buffered before the request stops reading from the network. */
const MAX_BUFFERED_BYTES = 16_384

/**
 * A request whose unread body needs little more memory than its bytes, however it is cut up.
 *
 * Node keeps each chunk as a separate Buffer and counts only its bytes. Chunks of one byte need a hundred times that,
 * for as long as the body is unread: while the request waits for the store, or, as a poll does, for an event.
 */
export class CompactRequest extends IncomingMessage {
  #kept = NOTHING
  #length = 0

  override push(piece: Buffer | null, encoding?: BufferEncoding): boolean {
    if (piece === null) this.#handOver()
    // A reader exists or existed: pass the chunk on to it.
    if (piece === null || this.readableFlowing !== null || typeof piece === 'string')
      return super.push(piece, encoding)
    this.#keep(piece)
    return this.#length < MAX_BUFFERED_BYTES
  }

  override _read(size: number): void {
    this.#handOver()
    super._read(size)
  }

  #keep(piece: Buffer): void {
    const length = this.#length + piece.length
    if (length > this.#kept.length)
      this.#kept = grown(this.#kept, this.#length, grownSize(length, this.#kept.length))
    piece.copy(this.#kept, this.#length)
    this.#length = length
  }

  #handOver(): void {
    if (this.#length === 0) return
    const kept = this.#kept.subarray(0, this.#length)
    this.#kept = NOTHING
    this.#length = 0
    super.push(kept)
  }
}

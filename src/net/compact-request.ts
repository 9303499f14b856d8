import { IncomingMessage } from 'node:http'
import { grown, grownSize } from './grown.ts'

const NOTHING: Buffer = Buffer.alloc(0)
/** What is kept of a body that nobody reads before no more of it is taken off the network. */
const MOST_BYTES = 16_384

/**
 * A request whose body costs little more than its bytes while nobody reads it, however it is cut up.
 *
 * Node keeps each piece as a Buffer of its own and counts its bytes only. Of pieces of one byte that is a hundred times as much
 * memory, for as long as a request waits before its body is read: for an answer of the store, or for an event, as a poll does.
 */
export class CompactRequest extends IncomingMessage {
  #kept = NOTHING
  #length = 0

  override push(piece: Buffer | null, encoding?: BufferEncoding): boolean {
    if (piece === null) this.#handOver()
    // Somebody reads it, or has: what comes is theirs.
    if (piece === null || this.readableFlowing !== null || typeof piece === 'string')
      return super.push(piece, encoding)
    this.#keep(piece)
    return this.#length < MOST_BYTES
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

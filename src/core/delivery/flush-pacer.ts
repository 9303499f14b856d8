/** Part of the time that the last flush took, for which the next one waits. */
const DISTANCE = 1 / 4
/** In less, nothing more comes: it is what a caller needs for its next request. */
const MIN_DISTANCE_MS = 0.25
const MAX_DISTANCE_MS = 20

/**
 * When the next flush may begin: at once, unless it follows closely on one that took long.
 *
 * To wake a socket costs the system as much with one event as with ten. A server that writes all the time therefore
 * sends several times as much if it first takes in what its callers have ready; one that is not busy hardly ever waits.
 * A flush to fewer sockets waits for a part of that only: it would not take as long itself.
 * Why so, and what it brings: docs/decisions/0019-flushes-keep-a-distance.md.
 */
export class FlushPacer {
  #ended = 0
  #took = 0
  #sockets = 1

  /** The earliest beginning of a flush to so many sockets, by the clock. */
  begin(sockets: number): number {
    const expected = this.#took * Math.min(1, sockets / this.#sockets)
    const distance = Math.min(expected * DISTANCE, MAX_DISTANCE_MS)
    return distance < MIN_DISTANCE_MS ? this.#ended : this.#ended + distance
  }

  /** One was made. Times by the clock. One that took next to no time leaves the distance to the one before as it is. */
  flushed(sockets: number, began: number, ended: number): void {
    if ((ended - began) * DISTANCE < MIN_DISTANCE_MS) return
    this.#sockets = sockets
    this.#took = ended - began
    this.#ended = ended
  }
}

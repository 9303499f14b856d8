/** The pause before the next flush, as a share of the time that the last one took. */
const PAUSE_SHARE = 1 / 4
/** A shorter pause collects no further events: a caller needs this long for its next request. */
const MIN_PAUSE_MS = 0.25
const MAX_PAUSE_MS = 20

/**
 * Delays a flush that follows closely on one that took long.
 *
 * Waking a socket costs the system as much for one event as for ten. A server that writes all the time therefore sends
 * several times as many events if it first reads what its callers have ready. A server that is not busy hardly ever
 * waits. A flush to fewer sockets waits less, because it takes less time itself. Reasons and measurements:
 * docs/decisions/0019-flushes-keep-a-distance.md.
 */
export class FlushPacer {
  #ended = 0
  #took = 0
  #sockets = 1

  /** Returns the earliest start of a flush to this number of sockets, by the clock. */
  earliestStart(sockets: number): number {
    const expected = this.#took * Math.min(1, sockets / this.#sockets)
    const pause = Math.min(expected * PAUSE_SHARE, MAX_PAUSE_MS)
    return pause < MIN_PAUSE_MS ? this.#ended : this.#ended + pause
  }

  /** Notes a flush. Times are by the clock. A very short flush does not change the pause after the one before. */
  flushed(sockets: number, began: number, ended: number): void {
    if ((ended - began) * PAUSE_SHARE < MIN_PAUSE_MS) return
    this.#sockets = sockets
    this.#took = ended - began
    this.#ended = ended
  }
}

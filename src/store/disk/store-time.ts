import type { Clock } from '../../lib/clock.ts'

/**
 * The time of a store that outlives its process: it goes on where it was when the store was written last. Unlike the
 * calendar it never jumps. So a deadline has as much time left after a restart as before it.
 */
export class StoreTime {
  readonly #offset: number

  /** `then`: the time when the store was written last. */
  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    then: number,
  ) {
    this.#offset = then - clock.now()
  }

  now(): number {
    return this.clock.now() + this.#offset
  }

  /** Converts a time of the clock, which begins again with each process. */
  of(clockTime: number): number {
    return clockTime + this.#offset
  }

  /** Converts a time of the store to one of the clock. */
  toClock(storeTime: number): number {
    return storeTime - this.#offset
  }
}

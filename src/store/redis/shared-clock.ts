/**
 * The installation's time as one server knows it: milliseconds that go on with the steady clock of this machine, whatever
 * happens to the calendar here or on the machine of Redis. The servers tell each other theirs by way of Redis, in beats, and
 * go by whichever is furthest.
 */
export class SharedClock {
  /** What has to be added to the steady clock; undefined before the first beat. */
  #offset: number | undefined

  /** `steady`: milliseconds that only ever grow. */
  constructor(private readonly steady: () => number) {}

  /** A whole number of milliseconds; 0 if nothing is known yet. */
  estimate(): number {
    return this.#offset === undefined ? 0 : Math.floor(this.steady() + this.#offset)
  }

  /**
   * Redis has answered with this time, a moment ago. It counts only if it is ahead of the estimate: otherwise the time that
   * answers are on their way would be taken off with each beat, or added.
   */
  note(time: number): void {
    if (this.#offset === undefined || time > this.estimate()) this.#offset = time - this.steady()
  }
}

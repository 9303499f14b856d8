/**
 * The installation's time as one server knows it: milliseconds that go on with the steady clock of this machine, whatever
 * happens to the calendar here or on the machine of Redis. The servers tell each other theirs by way of Redis, in beats, and
 * go by whichever is furthest.
 */
export class SharedClock {
  /** What has to be added to the steady clock; undefined before the first beat. */
  #offset: number | undefined
  /** The same for the calendar of Redis, which may step. */
  #calendarOffset: number | undefined

  /** `steady`: milliseconds that only ever grow. `given`: the calendar, where it is not that of Redis. */
  constructor(
    private readonly steady: () => number,
    private readonly given: () => number = () => 0,
  ) {}

  /** A whole number of milliseconds; 0 if nothing is known yet. */
  estimate(): number {
    return this.#offset === undefined ? 0 : Math.floor(this.steady() + this.#offset)
  }

  /** What the calendar of Redis says, milliseconds since 1970, as of the last beat; 0 if nothing is known yet. */
  calendar(): number {
    return this.#calendarOffset === undefined
      ? this.given()
      : Math.floor(this.steady() + this.#calendarOffset)
  }

  /**
   * Redis has answered with this time, a moment ago. It counts only if it is ahead of the estimate: otherwise the time that
   * answers are on their way would be taken off with each beat, or added.
   */
  note(time: number, calendar: number): void {
    this.#calendarOffset = calendar - this.steady()
    if (this.#offset === undefined || time > this.estimate()) this.#offset = time - this.steady()
  }
}

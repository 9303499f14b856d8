/**
 * The installation's time as one server knows it: milliseconds that advance with the monotonic clock of this machine,
 * whatever happens to the calendar here or on the machine of Redis. Servers exchange their times through Redis, with
 * each beat, and follow the one that is furthest ahead.
 */
export class SharedClock {
  /** Offset to the monotonic clock; undefined before the first beat. */
  #offset: number | undefined
  /** The same for the calendar of Redis, which may jump. */
  #calendarOffset: number | undefined

  /** `steady`: monotonic milliseconds. `given`: a calendar that replaces the one of Redis. */
  constructor(
    private readonly steady: () => number,
    private readonly given: () => number = () => 0,
  ) {}

  /** Returns whole milliseconds; 0 if the time is not known yet. */
  estimate(): number {
    return this.#offset === undefined ? 0 : Math.floor(this.steady() + this.#offset)
  }

  /** Returns the calendar of Redis in milliseconds since 1970, as of the last beat; 0 if it is not known yet. */
  calendar(): number {
    return this.#calendarOffset === undefined
      ? this.given()
      : Math.floor(this.steady() + this.#calendarOffset)
  }

  /**
   * Notes the time that Redis has just replied. It counts only if it is ahead of the estimate: otherwise each beat
   * would subtract or add the time that replies take.
   */
  note(time: number, calendar: number): void {
    this.#calendarOffset = calendar - this.steady()
    if (this.#offset === undefined || time > this.estimate()) this.#offset = time - this.steady()
  }
}

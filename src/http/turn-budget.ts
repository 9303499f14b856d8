/** Bytes of request bodies that are processed per turn of the event loop. The last body may exceed the limit. */
const TURN_BYTES = 65_536

/**
 * Limits how much work runs per event-loop turn. Work runs in order of arrival.
 *
 * The events and answers of a turn are written at its end. Without the limit, a burst of large requests would first be
 * parsed completely. Its objects would live long enough for the garbage collector to copy them, and nothing else would
 * run meanwhile.
 */
export class TurnBudget {
  #left = TURN_BYTES
  readonly #waiting: Work[] = []

  /** Runs the work now, or in a later turn if the budget of this turn is used up. `bytes`: the size of the work. */
  take(work: Work): void {
    if (this.#left > 0 && this.#waiting.length === 0) this.#do(work)
    else this.#waiting.push(work)
  }

  /** Runs work in steps, one per turn. Calls `done` with the result or the error. */
  takeSteps<Result>(
    steps: Iterator<unknown, Result>,
    done: (error: Error | null, result?: Result) => void,
  ): void {
    const run = (): void => {
      let step: IteratorResult<unknown, Result>
      try {
        step = steps.next()
      } catch (error) {
        return done(error as Error)
      }
      if (step.done) done(null, step.value)
      else this.takeSteps(steps, done)
    }
    this.take({ bytes: TURN_BYTES, run })
  }

  #do(work: Work): void {
    if (this.#left === TURN_BYTES) setImmediate(this.#nextTurn)
    // Empty work counts too, so that the next turn is scheduled only once.
    this.#left -= Math.max(work.bytes, 1)
    work.run()
  }

  readonly #nextTurn = (): void => {
    this.#left = TURN_BYTES
    while (this.#left > 0) {
      const work = this.#waiting.shift()
      if (!work) return
      this.#do(work)
    }
  }
}

export interface Work {
  readonly bytes: number
  run(): void
}

/** Bytes of bodies that are worked on in one turn of the event loop; the last of them may go beyond. */
const TURN_BYTES = 65_536

/**
 * Lets so much work be done in each turn of the event loop, in the order in which it came.
 *
 * What a turn brings is told and answered at its end. When many callers send much at once, all of it would be turned into
 * objects first, and live long enough for the garbage collector to copy it; and nothing else would get its turn.
 */
export class TurnBudget {
  #left = TURN_BYTES
  readonly #waiting: Work[] = []

  /** Does the work now or, if there has been much in this turn, in one of the next. `bytes`: how much it is. */
  take(work: Work): void {
    if (this.#left > 0 && this.#waiting.length === 0) this.#do(work)
    else this.#waiting.push(work)
  }

  /** Work in steps, each of which has a turn for itself; `done` is told what it came to. */
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
    // An empty one counts too: the next turn must be asked for once.
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

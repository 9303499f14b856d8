import type { Clock } from './clock.ts'

/** How long the tasks of one turn of the event loop may take, but for the last of them. */
const TURN_MS = 8

/**
 * Runs tasks in the order in which they come: at once, as long as those of one turn of the event loop take little time.
 * The rest waits for the next turns, so that a burst of thousands does not keep everybody else waiting.
 */
export class PacedQueue {
  /** When the first task of this turn began; undefined before it. */
  #began: number | undefined
  #waiting: (() => void)[] = []

  constructor(private readonly clock: Pick<Clock, 'now' | 'soon'>) {}

  run(task: () => void): void {
    if (this.#waiting.length > 0 || this.#isTurnOver()) this.#waiting.push(task)
    else task()
  }

  /** Resolves once everything has run that was asked for until now; undefined if it has. */
  drained(): Promise<void> | undefined {
    if (this.#waiting.length === 0) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #isTurnOver(): boolean {
    const now = this.clock.now()
    if (this.#began === undefined) {
      this.#began = now
      this.clock.soon(this.#nextTurn)
    }
    return now - this.#began >= TURN_MS
  }

  readonly #nextTurn = (): void => {
    this.#began = undefined
    const tasks = this.#waiting
    let done = 0
    // The next turn is asked for before the first task, so that one that throws does not stop those behind it.
    try {
      while (done < tasks.length && !this.#isTurnOver()) tasks[done++]?.()
    } finally {
      this.#waiting = done === tasks.length ? [] : tasks.slice(done)
    }
  }
}

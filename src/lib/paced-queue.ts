import type { Clock } from './clock.ts'

/** How long the tasks of one event-loop turn may take. The last of them may exceed it. */
const TURN_MS = 8

/**
 * Runs tasks in order of arrival, with a time limit per event-loop turn. Within the limit they run at once. The rest
 * waits for the next turns, so that a burst of thousands does not block other work.
 */
export class PacedQueue {
  /** When the first task of this turn began. */
  #began: number | undefined
  #waiting: (() => void)[] = []

  constructor(private readonly clock: Pick<Clock, 'now' | 'soon'>) {}

  run(task: () => void): void {
    if (this.#waiting.length > 0 || this.#isTurnOver()) this.#waiting.push(task)
    else task()
  }

  /** Resolves when all tasks added so far have run. Undefined if they have. */
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
    // `#isTurnOver` requests the next turn before the first task, so a task that throws does not stop those behind it.
    try {
      while (done < tasks.length && !this.#isTurnOver()) tasks[done++]?.()
    } finally {
      this.#waiting = done === tasks.length ? [] : tasks.slice(done)
    }
  }
}

import type { Cancel, Clock } from '../../src/lib/clock.ts'

interface Task {
  at: number
  readonly run: () => void
  readonly everyMs?: number
}

/** A clock that only moves when the test advances it. Event-loop turns (`soon`) are advanced by the test as well. */
export class ManualClock implements Clock {
  #now = 0
  #tasks: Task[] = []
  #soon: (() => void)[] = []

  now(): number {
    return this.#now
  }

  wallTime(): number {
    return Date.UTC(2030, 0, 1) + this.#now
  }

  every(ms: number, run: () => void): Cancel {
    return this.#add({ at: this.#now + ms, run, everyMs: ms })
  }

  after(ms: number, run: () => void): Cancel {
    return this.#add({ at: this.#now + ms, run })
  }

  soon(run: () => void): void {
    this.#soon.push(run)
  }

  /** Ends the turn: runs all `soon` tasks, and those that they schedule. Flushes promises in between. */
  async endTurn(): Promise<void> {
    await settled()
    while (this.#soon.length > 0) {
      for (const run of this.#soon.splice(0)) run()
      await settled()
    }
  }

  /** Advances the clock, timer by timer. Each timer is followed by the end of its turn. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.endTurn()
    for (let task = this.#next(until); task; task = this.#next(until)) {
      this.#now = Math.max(this.#now, task.at)
      if (task.everyMs === undefined) this.#remove(task)
      else task.at += task.everyMs
      task.run()
      await this.endTurn()
    }
    this.#now = until
  }

  /** Simulates a paused process: time passes, and timers are late. */
  leap(ms: number): void {
    this.#now += ms
  }

  /** The number of pending timers. Must be 0 after everything has stopped. */
  get pending(): number {
    return this.#tasks.length
  }

  #next(until: number): Task | undefined {
    return this.#tasks.filter((task) => task.at <= until).sort((one, other) => one.at - other.at)[0]
  }

  #add(task: Task): Cancel {
    this.#tasks.push(task)
    return () => this.#remove(task)
  }

  #remove(task: Task): void {
    this.#tasks = this.#tasks.filter((other) => other !== task)
  }
}

/** Flushes pending promises with a few turns of the microtask queue. No time passes. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

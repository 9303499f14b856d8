/** The time, handed to whoever needs it, so that tests can turn it by hand. */

/** Undoes what a clock was asked to do. Harmless afterwards. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds that only ever grow, with a fraction. For deadlines: no relation to the calendar. */
  now(): number
  /** Milliseconds since 1970 (UTC), with a fraction down to microseconds. For people: may jump. */
  wallTime(): number
  /** Calls `task` every `ms` milliseconds. */
  every(ms: number, task: () => void): Cancel
  /** Calls `task` once, after `ms` milliseconds. */
  after(ms: number, task: () => void): Cancel
  /** Calls `task` once, at the end of this turn of the event loop. */
  soon(task: () => void): void
}

/** The machine's clock. Its timers do not keep the process alive: sockets do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now() + (((performance.now() * 1000) % 1000) | 0) / 1000,
  every(ms, task) {
    const timer = setInterval(task, ms).unref()
    return () => clearInterval(timer)
  },
  after(ms, task) {
    const timer = setTimeout(task, ms).unref()
    return () => clearTimeout(timer)
  },
  soon(task) {
    setImmediate(task)
  },
}

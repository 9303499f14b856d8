/** The clock is injected, so that tests can control the time. */

/** Cancels a timer. Does nothing if the timer has fired or was cancelled. */
export type Cancel = () => void

export interface Clock {
  /** Monotonic milliseconds, with a fraction. For deadlines: not related to the calendar. */
  now(): number
  /** Milliseconds since 1970 (UTC), with a fraction down to microseconds. For display: may jump. */
  wallTime(): number
  /** Calls `task` every `ms` milliseconds. */
  every(ms: number, task: () => void): Cancel
  /** Calls `task` once, after `ms` milliseconds. */
  after(ms: number, task: () => void): Cancel
  /** Calls `task` once, at the end of this turn of the event loop. */
  soon(task: () => void): void
}

/** The system clock. Its timers do not keep the process alive; sockets do. */
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

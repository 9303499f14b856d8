import type { Cancel, Clock } from '../../lib/clock.ts'
import type { LiveConnection } from '../delivery/connection.ts'

const MOST_SLOTS = 100
const FEWEST_SLOTS = 5
/** Timers are not finer than a millisecond, and ticks without heartbeats cost something too. */
const SHORTEST_TICK_MS = 10
/** The part of an interval over which the first heartbeats of those who come at once are spread. */
const SPREAD = 1 / 5

/**
 * Heartbeats of all streams with one timer: connections stand in slots, and each tick serves one slot.
 *
 * A stream gets its first heartbeat one interval after it was opened (up to a fifth of it early), then one per
 * interval, whenever it was opened. Thousands that were opened at once are not served at once: events would wait.
 */
export class Heartbeats {
  readonly #slots: readonly Set<LiveConnection>[]
  readonly #tickMs: number
  #startedAt = 0
  /** Slots that were served since; the next one's place is this, modulo their number. */
  #served = 0
  /** How many slots early the next one to come is served. */
  #early = 0
  #cancel: Cancel | undefined

  constructor(
    private readonly clock: Clock,
    intervalMs: number,
    private readonly beat: (connection: LiveConnection) => void,
  ) {
    const fitting = Math.floor(intervalMs / SHORTEST_TICK_MS)
    const length = Math.max(FEWEST_SLOTS, Math.min(fitting, MOST_SLOTS))
    this.#slots = Array.from({ length }, () => new Set<LiveConnection>())
    this.#tickMs = intervalMs / length
  }

  start(): void {
    if (this.#cancel) return
    this.#startedAt = this.clock.now()
    this.#served = 0
    this.#cancel = this.clock.every(this.#tickMs, () => this.#tick())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  add(connection: LiveConnection): void {
    this.remove(connection)
    const count = this.#slots.length
    connection.slot = this.#slots[(this.#served - this.#early - 1 + 2 * count) % count]
    connection.slot?.add(connection)
    this.#early = (this.#early + 1) % Math.floor(count * SPREAD)
  }

  remove(connection: LiveConnection): void {
    connection.slot?.delete(connection)
    connection.slot = undefined
  }

  /** A timer that is late is later each time. What it has left behind is made good, at most once for each. */
  #tick(): void {
    const due = Math.round((this.clock.now() - this.#startedAt) / this.#tickMs)
    this.#served = Math.max(this.#served, due - this.#slots.length)
    while (this.#served < due) {
      const slot = this.#slots[this.#served++ % this.#slots.length] ?? []
      for (const connection of slot) this.beat(connection)
    }
  }
}

import type { Cancel, Clock } from '../../lib/clock.ts'
import type { LiveConnection } from '../delivery/connection.ts'

const MAX_SLOTS = 100
const MIN_SLOTS = 5
/** Timers have a resolution of one millisecond, and ticks without heartbeats are not free. */
const MIN_TICK_MS = 10
/** First heartbeats of streams that open together are spread over this part of an interval. */
const SPREAD = 1 / 5

/**
 * Sends the heartbeats of all streams with one timer. Connections are spread over slots, and each tick serves one slot.
 *
 * A stream gets its first heartbeat one interval after it opens (up to a fifth of an interval early), then one per
 * interval. Thousands of streams that open together get theirs in different ticks, so that events need not wait.
 */
export class Heartbeats {
  readonly #slots: readonly Set<LiveConnection>[]
  readonly #tickMs: number
  #startedAt = 0
  /** Slots served since the start. Modulo the number of slots, it is the index of the next one. */
  #served = 0
  /** How many slots early the next connection gets its first heartbeat. */
  #early = 0
  #cancel: Cancel | undefined

  constructor(
    private readonly clock: Clock,
    intervalMs: number,
    private readonly beat: (connection: LiveConnection) => void,
  ) {
    const slotsPerInterval = Math.floor(intervalMs / MIN_TICK_MS)
    const length = Math.max(MIN_SLOTS, Math.min(slotsPerInterval, MAX_SLOTS))
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

  /** Serves all slots that are due, since delays of the timer add up. After a long pause each slot is served once. */
  #tick(): void {
    const due = Math.round((this.clock.now() - this.#startedAt) / this.#tickMs)
    this.#served = Math.max(this.#served, due - this.#slots.length)
    while (this.#served < due) {
      const slot = this.#slots[this.#served++ % this.#slots.length] ?? []
      for (const connection of slot) this.beat(connection)
    }
  }
}

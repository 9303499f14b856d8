import type { Cancel, Clock } from '../clock.ts'
import type { LiveConnection } from './connection.ts'

const SLOTS = 5

/**
 * Heartbeats of all streams with one timer: connections stand in slots, and each tick serves one slot.
 *
 * A stream gets its first heartbeat one interval after it was opened (up to a fifth of it early), then one per
 * interval, whenever it was opened.
 */
export class Heartbeats {
  readonly #slots: Set<LiveConnection>[] = Array.from(
    { length: SLOTS },
    () => new Set<LiveConnection>(),
  )
  #current = 0
  #cancel: Cancel | undefined

  constructor(
    private readonly clock: Clock,
    private readonly intervalMs: number,
    private readonly beat: (connection: LiveConnection) => void,
  ) {}

  start(): void {
    this.#cancel ??= this.clock.every(this.intervalMs / SLOTS, () => this.#tick())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  add(connection: LiveConnection): void {
    this.remove(connection)
    this.#slots[this.#current]?.add(connection)
  }

  remove(connection: LiveConnection): void {
    for (const slot of this.#slots) slot.delete(connection)
  }

  #tick(): void {
    this.#current = (this.#current + 1) % SLOTS
    for (const connection of this.#slots[this.#current] ?? []) this.beat(connection)
  }
}

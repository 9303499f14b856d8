import type { Clock } from '../../lib/clock.ts'
import type { AdminSessionLimits, AdminSessionStore } from '../admin-sessions.ts'

/** Keeps sessions in memory: all end with this process. */
export class MemoryAdminSessions implements AdminSessionStore {
  /** The end of each session. In order of ends, because all have the same lifetime. */
  readonly #ends = new Map<string, number>()

  constructor(
    private readonly clock: Clock,
    private readonly limits: AdminSessionLimits,
  ) {}

  /** The end of each session, in the order of ends. */
  get ends(): ReadonlyMap<string, number> {
    return this.#ends
  }

  open(name: string): void {
    this.restore(name, this.limits.lifetimeMs)
  }

  /** Puts a session back, for as long as it would have been open. To be called in the order of ends. */
  restore(name: string, timeLeft: number): void {
    this.#ends.delete(name)
    this.#ends.set(name, this.clock.now() + timeLeft)
    this.#makeRoom()
  }

  isAnyOpen(names: readonly string[]): boolean {
    const now = this.clock.now()
    return names.some((name) => (this.#ends.get(name) ?? now) > now)
  }

  end(names: readonly string[]): void {
    for (const name of names) this.#ends.delete(name)
  }

  #makeRoom(): void {
    const now = this.clock.now()
    for (const [name, end] of this.#ends) {
      if (end > now && this.#ends.size <= this.limits.maxSessions) return
      this.#ends.delete(name)
    }
  }
}

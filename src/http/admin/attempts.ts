import type { Clock } from '../../clock.ts'

const WINDOW_MS = 60_000
const MAX_FAILURES = 10
/** Addresses that are remembered; beyond it the oldest is forgotten. */
const MAX_ADDRESSES = 10_000

/** Slows down whoever guesses passwords: ten wrong ones from an address in a minute, then none until it is over. */
export class Attempts {
  readonly #failures = new Map<string, { count: number; readonly until: number }>()

  constructor(private readonly clock: Clock) {}

  isBlocked(address: string): boolean {
    const failures = this.#failures.get(address)
    return (
      failures !== undefined && failures.count >= MAX_FAILURES && this.clock.now() < failures.until
    )
  }

  failed(address: string): void {
    const known = this.#failures.get(address)
    if (known && this.clock.now() < known.until) {
      known.count++
      return
    }
    this.#failures.delete(address)
    this.#failures.set(address, { count: 1, until: this.clock.now() + WINDOW_MS })
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > MAX_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest)
  }
}

import { networkOf } from '../addresses.ts'
import type { Clock } from '../../lib/clock.ts'

const WINDOW_MS = 60_000
const MAX_FAILURES = 10
/** From all addresses together: more than people mistype. */
const MAX_TOTAL_FAILURES = 100
/** Networks that are remembered; beyond it the oldest is forgotten. */
const MAX_NETWORKS = 10_000
const MAX_TRUSTED = 100

interface Failures {
  count: number
  readonly until: number
}

/**
 * Slows down whoever guesses passwords: ten wrong ones from a network in a minute, then none until it is over. The same after
 * a hundred from anywhere, for whoever has many addresses; but not for networks from which somebody has signed in, so that
 * a guesser does not keep out those who know the password. A network is an IPv4 address or an IPv6 /64.
 */
export class SignInThrottle {
  readonly #failures = new Map<string, Failures>()
  readonly #trusted = new Set<string>()
  #total: Failures = { count: 0, until: 0 }

  constructor(private readonly clock: Clock) {}

  isBlocked(address: string): boolean {
    const network = networkOf(address)
    if (this.#reaches(this.#failures.get(network), MAX_FAILURES)) return true
    return !this.#trusted.has(network) && this.#reaches(this.#total, MAX_TOTAL_FAILURES)
  }

  failed(address: string): void {
    const network = networkOf(address)
    this.#total = this.#counted(this.#total)
    const failures = this.#counted(this.#failures.get(network))
    // To the end, where the newest are.
    this.#failures.delete(network)
    this.#failures.set(network, failures)
    forgetOldest(this.#failures, MAX_NETWORKS)
  }

  succeeded(address: string): void {
    const network = networkOf(address)
    this.#trusted.delete(network)
    this.#trusted.add(network)
    forgetOldest(this.#trusted, MAX_TRUSTED)
  }

  #reaches(failures: Failures | undefined, most: number): boolean {
    return failures !== undefined && failures.count >= most && this.clock.now() < failures.until
  }

  /** One more, in the minute that has begun or in a new one. */
  #counted(failures: Failures | undefined): Failures {
    const now = this.clock.now()
    if (!failures || now >= failures.until) return { count: 1, until: now + WINDOW_MS }
    return { ...failures, count: failures.count + 1 }
  }
}

function forgetOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  const [oldest] = kept.keys()
  if (kept.size > most && oldest !== undefined) kept.delete(oldest)
}

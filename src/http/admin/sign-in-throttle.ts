import { networkOf } from '../addresses.ts'
import type { Clock } from '../../lib/clock.ts'

const WINDOW_MS = 60_000
const MAX_FAILURES = 10
/** From all addresses together: more than people mistype. */
const MAX_TOTAL_FAILURES = 100
/** Beyond this many networks, the oldest is forgotten. */
const MAX_NETWORKS = 10_000
const MAX_TRUSTED = 100

interface Failures {
  count: number
  readonly until: number
}

/**
 * Limits password guessing: after ten failures from one network within a minute, it blocks that network for the rest of
 * the minute. After a hundred failures from all networks, it blocks every network, in case the guesses come from many
 * addresses. That second limit spares networks from which somebody has signed in, so that an attacker cannot lock out
 * people who know the password. A network is an IPv4 address or an IPv6 /64.
 */
export class SignInThrottle {
  readonly #failures = new Map<string, Failures>()
  readonly #trusted = new Set<string>()
  #total: Failures = { count: 0, until: 0 }

  constructor(private readonly clock: Clock) {}

  isBlocked(address: string): boolean {
    const network = networkOf(address)
    if (this.#isLimitReached(this.#failures.get(network), MAX_FAILURES)) return true
    return !this.#trusted.has(network) && this.#isLimitReached(this.#total, MAX_TOTAL_FAILURES)
  }

  failed(address: string): void {
    const network = networkOf(address)
    this.#total = this.#withOneMore(this.#total)
    const failures = this.#withOneMore(this.#failures.get(network))
    // Reinsert at the end: the map is ordered by the last failure.
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

  #isLimitReached(failures: Failures | undefined, max: number): boolean {
    return failures !== undefined && failures.count >= max && this.clock.now() < failures.until
  }

  /** Adds one failure, in the current minute or in a new one. */
  #withOneMore(failures: Failures | undefined): Failures {
    const now = this.clock.now()
    if (!failures || now >= failures.until) return { count: 1, until: now + WINDOW_MS }
    return { ...failures, count: failures.count + 1 }
  }
}

function forgetOldest(kept: Map<string, unknown> | Set<string>, max: number): void {
  const [oldest] = kept.keys()
  if (kept.size > max && oldest !== undefined) kept.delete(oldest)
}

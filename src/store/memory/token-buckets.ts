import { bucketName, taken } from '../token-bucket.ts'
import { RateExceeded } from '../user-limits.ts'
import type { Clock } from '../../lib/clock.ts'
import type { MessageRate } from '../user-limits.ts'

/**
 * The token buckets of users and channels. Buckets that are full again are forgotten: those of the last but one period,
 * in which a bucket fills up. So no bucket has a timer.
 */
export class TokenBuckets {
  /** When each bucket is full. */
  #recent = new Map<string, number>()
  #older = new Map<string, number>()
  #periodEndsAt = 0
  /** The time in which an empty bucket fills up. */
  #periodMs = 0

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  get size(): number {
    return this.#recent.size + this.#older.size
  }

  /** Takes all tokens, or throws `RateExceeded` and takes none. */
  take(rate: MessageRate): void {
    const now = this.clock.now()
    this.#periodMs = rate.intervalMs * rate.burst
    this.#forgetFull(now)
    const names = rate.charges.map(bucketName)
    const wanted = rate.charges.map(({ tokens }, index) =>
      taken(this.#fullAt(names[index] as string), rate, { tokens, now }),
    )
    const refused = wanted.flatMap(({ waitMs }, charge) => (waitMs > 0 ? [{ charge, waitMs }] : []))
    if (refused.length > 0) throw new RateExceeded(refused)
    names.forEach((name, index) => this.#recent.set(name, wanted[index]?.fullAt ?? now))
  }

  /** Forgets buckets that are full. To be called from time to time, in case that nobody takes tokens. */
  sweep(): void {
    if (this.size > 0) this.#forgetFull(this.clock.now())
  }

  #fullAt(name: string): number | undefined {
    return this.#recent.get(name) ?? this.#older.get(name)
  }

  #forgetFull(now: number): void {
    if (now < this.#periodEndsAt) return
    this.#older = this.#recent
    this.#recent = new Map()
    this.#periodEndsAt = now + this.#periodMs
  }
}

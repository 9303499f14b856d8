import { ANSWER_OVERHEAD_BYTES } from '../idempotency-cache.ts'
import type { Clock } from '../../lib/clock.ts'
import type { CachedAnswer, IdempotencyCache, Claim } from '../idempotency-cache.ts'

export interface MemoryIdempotencyCacheOptions {
  /** How long an answer is kept. With 0, only retries that already wait get it. */
  readonly windowMs: number
  /** Limit for all answers. Over it, the oldest are dropped early. */
  readonly maxBytes: number
}

export interface SettledAnswer {
  readonly fingerprint: string
  readonly answer: CachedAnswer
  readonly bytes: number
  readonly forgottenAt: number
}

/** An answer, and the request that it is for. */
type Answered = Pick<SettledAnswer, 'fingerprint' | 'answer'>

interface Pending {
  readonly fingerprint: string
  readonly answer: Promise<CachedAnswer | undefined>
}

/** Keeps answers in memory. Each claim removes expired ones, so no timer is needed. */
export class MemoryIdempotencyCache implements IdempotencyCache {
  /** One for each request in progress. */
  readonly #pending = new Map<string, Pending>()
  /** In the order of expiry. */
  readonly #settled = new Map<string, SettledAnswer>()
  #bytes = 0

  constructor(
    private readonly clock: Clock,
    private readonly options: MemoryIdempotencyCacheOptions,
  ) {}

  /** Bytes used by answers, counted as for `maxBytes`. */
  get bytes(): number {
    return this.#bytes
  }

  /** The answers that are kept, by key, in the order of expiry. */
  get settled(): ReadonlyMap<string, SettledAnswer> {
    return this.#settled
  }

  /** Puts an answer back, for as long as it would have been kept. To be called in the order of expiry. */
  restore(key: string, { fingerprint, answer }: Answered, timeLeft: number): void {
    this.#remember(key, { fingerprint, answer }, timeLeft)
  }

  claim(key: string, fingerprint: string): Claim {
    this.#forgetOld()
    const known = this.#pending.get(key) ?? this.#settled.get(key)
    if (!known) return this.#begin(key, fingerprint)
    if (known.fingerprint !== fingerprint) return { outcome: 'reused' }
    return { outcome: 'repeat', answer: async () => known.answer }
  }

  #begin(key: string, fingerprint: string): Claim {
    const { promise, resolve } = withResolvers<CachedAnswer | undefined>()
    this.#pending.set(key, { fingerprint, answer: promise })
    const settle = (answer: CachedAnswer | undefined, keep: boolean): void => {
      this.#pending.delete(key)
      if (keep && answer) this.#remember(key, { fingerprint, answer }, this.options.windowMs)
      resolve(answer)
    }
    return { outcome: 'first', settle }
  }

  #remember(key: string, { fingerprint, answer }: Answered, timeLeft: number): void {
    const bytes = ANSWER_OVERHEAD_BYTES + Buffer.byteLength(answer.text)
    if (bytes > this.options.maxBytes) return // otherwise it would evict all others
    const forgottenAt = this.clock.now() + timeLeft
    this.#settled.set(key, { fingerprint, answer, bytes, forgottenAt })
    this.#bytes += bytes
    this.#forgetOld()
  }

  #forgetOld(): void {
    const now = this.clock.now()
    for (const [key, { bytes, forgottenAt }] of this.#settled) {
      if (forgottenAt > now && this.#bytes <= this.options.maxBytes) return
      this.#settled.delete(key)
      this.#bytes -= bytes
    }
  }
}

/** `Promise.withResolvers`, which Node.js 20 does not have. */
function withResolvers<Value>() {
  let resolve!: (value: Value) => void
  const promise = new Promise<Value>((resolver) => (resolve = resolver))
  return { promise, resolve }
}

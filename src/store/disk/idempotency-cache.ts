import type { CachedAnswer, Claim, IdempotencyCache, Settle } from '../idempotency-cache.ts'
import type { MemoryIdempotencyCache } from '../memory/idempotency-cache.ts'
import type { Awaitable } from '../store.ts'
import type { AnswerImage } from './image.ts'
import type { Line } from './lines.ts'
import type { StoreTime } from './store-time.ts'

export interface IdempotencyCacheDeps {
  readonly memory: MemoryIdempotencyCache
  readonly time: StoreTime
  /** How long an answer is kept. */
  readonly windowMs: number
  /** Resolves when the line is committed, and rejects if that fails. */
  readonly write: (line: Line) => Awaitable<void>
}

/** Keeps answers in memory and on disk: an answer is on disk before it is sent. */
export class DiskIdempotencyCache implements IdempotencyCache {
  constructor(private readonly deps: IdempotencyCacheDeps) {}

  claim(key: string, fingerprint: string): Claim {
    const claim = this.deps.memory.claim(key, fingerprint)
    if (claim.outcome !== 'first') return claim
    return { outcome: 'first', settle: this.#keeping(key, fingerprint, claim.settle) }
  }

  restore(answers: ReadonlyMap<string, AnswerImage>): void {
    const { memory, time } = this.deps
    for (const [key, { due, ...answered }] of answers)
      if (due > time.now()) memory.restore(key, answered, due - time.now())
  }

  *lines(): Generator<Line, void> {
    const { memory, time } = this.deps
    for (const [key, { fingerprint, answer, forgottenAt }] of memory.settled)
      yield lineOf(key, { fingerprint, answer, due: time.of(forgottenAt) })
  }

  #keeping(key: string, fingerprint: string, settle: Settle): Settle {
    const { time, windowMs, write } = this.deps
    return async (answer: CachedAnswer | undefined, keep: boolean) => {
      if (!answer || !keep) return settle(answer, false)
      try {
        await write(lineOf(key, { fingerprint, answer, due: time.now() + windowMs }))
      } catch (error) {
        // Those that wait get the answer. A later retry runs again; the store knows what it has published.
        await settle(answer, false)
        throw error
      }
      await settle(answer, true)
    }
  }
}

function lineOf(key: string, { fingerprint, answer, due }: AnswerImage): Line {
  const { status, text, error } = answer
  return ['i', key, fingerprint, status, text, error ?? null, due]
}

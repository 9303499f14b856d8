/**
 * Caches answers by `Idempotency-Key`, so that a retried request has no second effect.
 *
 * It is separate from the store, because it is about requests and not about channels. Like the store, several servers
 * can share it.
 */
import type { Awaitable } from './store.ts'

/** The parts of an answer that are needed to repeat it. */
export interface CachedAnswer {
  readonly status: number
  /** The JSON that was sent. */
  readonly text: string
  /** The name of the error, if the answer is one. */
  readonly error?: string
}

/** Counted for each answer in addition to its text, which limits the number of short answers as well. */
export const ANSWER_OVERHEAD_BYTES = 512

export type Claim =
  /** The key is new: run the request, then call `settle` exactly once, in every case. */
  | { readonly outcome: 'first'; readonly settle: Settle }
  /**
   * The request was sent before. `answer` resolves when its answer exists, and rejects with the errors of waiting. If
   * it resolves to undefined, the answer cannot be repeated: claim again. It is a function so that nothing waits, and
   * nothing fails, for a caller that has disconnected.
   */
  | { readonly outcome: 'repeat'; readonly answer: () => Promise<CachedAnswer | undefined> }
  /** The key belongs to another request. */
  | { readonly outcome: 'reused' }

/**
 * Stores the answer for retries. With `keep` false, only retries that already wait get it, and later ones run the
 * request again. Without an answer, because it was streamed, those that wait run it again as well.
 */
export type Settle = (answer: CachedAnswer | undefined, keep: boolean) => Awaitable<void>

export interface IdempotencyCache {
  /**
   * Claims the key. Atomic: of all requests with one key, exactly one is `first`. `fingerprint` is the same for a retry
   * and differs for any other request.
   *
   * The implementation limits how long answers are kept and how much memory they use. A forgotten key counts as new.
   * The key of a request that is not settled is never forgotten.
   */
  claim(key: string, fingerprint: string): Awaitable<Claim>
}

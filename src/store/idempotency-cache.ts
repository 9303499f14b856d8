/**
 * What was answered to requests that may be sent twice, by their `Idempotency-Key`.
 *
 * Apart from the store, because it is about requests and not about channels; like it, so that several servers can
 * share one.
 */
import type { Awaitable } from './store.ts'

/** Enough of an answer to give it again. */
export interface CachedAnswer {
  readonly status: number
  /** JSON, as it was sent. */
  readonly text: string
  /** The name of the error, if it is one. */
  readonly error?: string
}

/** What an answer costs beside its text; it bounds the number of short ones as well. */
export const ANSWER_OVERHEAD_BYTES = 512

export type Claim =
  /** Nobody has asked this before: do it, then call `settle`, in every case and once. */
  | { readonly outcome: 'first'; readonly settle: Settle }
  /**
   * It was asked before. `answer` resolves once there is one, and rejects with what goes wrong meanwhile. Undefined: it
   * cannot be given again, claim anew. A function: nothing is waited for, and nothing can fail, for a caller that has gone.
   */
  | { readonly outcome: 'repeat'; readonly answer: () => Promise<CachedAnswer | undefined> }
  /** The key belongs to another request. */
  | { readonly outcome: 'reused' }

/**
 * Gives the answer to whoever repeats the request. With `keep` false only to those who wait for it already: what
 * comes later is asked anew. Without an answer, because it was streamed, those who wait ask anew as well.
 */
export type Settle = (answer: CachedAnswer | undefined, keep: boolean) => Awaitable<void>

export interface IdempotencyCache {
  /**
   * Atomic: of any number of requests with one key, one is first. `fingerprint` is the same for a repeat and differs
   * for any other request.
   *
   * An answer is remembered for a time and within a memory that the implementation states; a key that is forgotten is
   * a new one. A key whose request is not settled is not forgotten.
   */
  claim(key: string, fingerprint: string): Awaitable<Claim>
}

/** How often, and after which pauses, a request is sent again. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface RetryPolicy {
  /** Milliseconds for all attempts and the pauses between them. */
  readonly deadlineMs: number
  /** Milliseconds for one attempt. */
  readonly timeoutMs: number
  readonly maxAttempts: number
}

export interface Attempt {
  /** From 1. */
  readonly number: number
  readonly timeoutMs: number
}

export interface Verdict {
  readonly isRepeatable: boolean
  /** Milliseconds that the server asks to wait. */
  readonly retryAfterMs: number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** An attempt with less time would fail for that reason, and hide why those before it failed. */
const SHORTEST_ATTEMPT_MS = 50

/**
 * Exponential back-off with full jitter: anything up to a bound that doubles, from 100 ms to 5 s, so that the many
 * callers that a server lost at once do not come back at once. Comes on top of what the server asks for.
 */
export function pauseMs(attempt: number, retryAfterMs: number, random = Math.random()): number {
  const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
  return retryAfterMs + random * bound
}

/**
 * What `attempt` resolves to, or the failure of the last one.
 *
 * Ends early, with that failure, if the next pause would leave less than 50 ms before the deadline: a `Retry-After` of an
 * hour is not waited for. Rejects with the reason of `signal`.
 */
export async function retry<Value>(
  attempt: (attempt: Attempt) => Promise<Value>,
  judge: (error: unknown) => Verdict,
  { deadlineMs, timeoutMs, maxAttempts }: RetryPolicy,
  signal: AbortSignal | undefined,
): Promise<Value> {
  const endsAt = performance.now() + deadlineMs
  const leftMs = (): number => endsAt - performance.now()
  for (let number = 1; ; number++) {
    signal?.throwIfAborted()
    try {
      return await attempt({ number, timeoutMs: Math.min(timeoutMs, leftMs()) })
    } catch (error) {
      const { isRepeatable, retryAfterMs } = judge(error)
      const pause = pauseMs(number, retryAfterMs)
      const isOver = pause + SHORTEST_ATTEMPT_MS >= leftMs()
      if (!isRepeatable || number >= maxAttempts || isOver) throw error
      await pauseUnless(signal, pause)
    }
  }
}

async function pauseUnless(signal: AbortSignal | undefined, ms: number): Promise<void> {
  try {
    await sleep(ms, undefined, signal && { signal })
  } catch (error) {
    signal?.throwIfAborted() // with the reason of the signal, which the timer hides
    throw error
  }
}

/** Milliseconds of a `Retry-After`, which counts seconds or names a date; 0 for none and for what is neither. */
export function parseRetryAfter(header: string | undefined, nowMs = Date.now()): number {
  if (header === undefined) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Math.max(0, ms) || 0
}

/** Retries requests with exponential backoff. */

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
  readonly isRetryable: boolean
  /** Milliseconds that the server requests to wait. */
  readonly retryAfterMs: number
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** With less time, an attempt would time out and hide why the earlier ones failed. */
const SHORTEST_ATTEMPT_MS = 50

/**
 * Returns the pause before the next attempt. Exponential backoff with full jitter: a random time up to a bound that
 * doubles from 100 ms to 5 s, so that callers that lose a server at the same moment do not all retry at the same
 * moment. It is added to the time that the server requests.
 */
export function retryDelayMs(
  attempt: number,
  retryAfterMs: number,
  random = Math.random(),
): number {
  const bound = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
  return retryAfterMs + random * bound
}

/**
 * Runs `attempt` until it succeeds. Resolves with its value, or rejects with the error of the last attempt.
 *
 * Rejects early if the next pause would leave less than 50 ms before the deadline: it does not wait for a `Retry-After`
 * of an hour. Rejects with the reason of `signal` if that aborts.
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
      const { isRetryable, retryAfterMs } = judge(error)
      const pause = retryDelayMs(number, retryAfterMs)
      const isOver = pause + SHORTEST_ATTEMPT_MS >= leftMs()
      if (!isRetryable || number >= maxAttempts || isOver) throw error
      await sleepUnlessAborted(signal, pause)
    }
  }
}

function sleepUnlessAborted(signal: AbortSignal | undefined, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = (): void => end(() => reject(signal?.reason as Error))
    const timer = setTimeout(() => end(resolve), ms)
    signal?.addEventListener('abort', onAbort)
  })
}

/** Returns the milliseconds of a `Retry-After` with seconds or a date. Returns 0 if it is missing or invalid. */
export function parseRetryAfter(header: string | undefined, nowMs = Date.now()): number {
  if (header === undefined) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Math.max(0, ms) || 0
}

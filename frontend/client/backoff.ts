/** The longest delay between two attempts. */
export const MAX_DELAY_MS = 60_000
/** The shortest first delay, so that a page that asks for no delay cannot flood a server with retries. */
const MIN_STEP_MS = 100

/**
 * Returns the delay before the next retry: exponential backoff with full jitter. The upper limit starts at `stepMs`,
 * doubles with each failure, and is at most a minute. Jitter spreads the clients of a restarting server over time.
 *
 * `failures`: consecutive failures, from 1. `later`: the server asked for a delay, so wait at least half a step.
 */
export function retryDelayMs(
  failures: number,
  stepMs: number,
  { later = false, random = Math.random } = {},
): number {
  const step = stepMs > MIN_STEP_MS ? Math.min(stepMs, MAX_DELAY_MS) : MIN_STEP_MS
  const longest = Math.min(step * 2 ** (failures - 1), MAX_DELAY_MS)
  const least = later ? step / 2 : 0
  return least + random() * (longest - least)
}

const MAX_DELAY_MS = 60_000
/** A page that asks for no delay at all does not get to hammer at a server. */
const MIN_STEP_MS = 100

/**
 * How long to wait before the next try: a random part of a time that starts at `stepMs`, doubles with each failure and
 * is a minute at most. Full jitter, so that the clients of a server that restarts come back spread over that time.
 *
 * `failures`: tries that failed in a row, from 1. `later`: the server asks for some time, so at least half a step.
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

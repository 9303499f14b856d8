export interface Backoff {
  /** Milliseconds before the first retry. */
  readonly firstMs: number
  /** Milliseconds that no delay exceeds before jitter. */
  readonly mostMs: number
}

/**
 * Returns the milliseconds to wait before a retry: exponential backoff with a jitter of 25 % in both directions, so
 * that the clients of a server that restarts do not reconnect at once. `retries` counts the failed retries, from 0.
 */
export function backoffMs(
  retries: number,
  { firstMs, mostMs }: Backoff,
  random = Math.random(),
): number {
  return Math.min(firstMs * 2 ** retries, mostMs) * (0.75 + random / 2)
}

import type { Charge, MessageRate } from './user-limits.ts'

/** Returns the name of a bucket. The length makes it unambiguous: names may contain any character. */
export const bucketName = ({ user, channel }: Pick<Charge, 'user' | 'channel'>): string =>
  `${user.length}:${user}:${channel ?? ''}`

/**
 * A bucket is one number: the time at which it is full. Taking a token moves it by `intervalMs`. Returns the new time,
 * which is not in force if `waitMs` is above 0. Times are in milliseconds of any clock.
 */
export function taken(
  fullAt: number | undefined,
  { intervalMs, burst }: Pick<MessageRate, 'intervalMs' | 'burst'>,
  { tokens, now }: { readonly tokens: number; readonly now: number },
): { readonly fullAt: number; readonly waitMs: number } {
  const wanted = Math.max(fullAt ?? now, now) + tokens * intervalMs
  const waitMs = wanted - now - burst * intervalMs
  // Sums of fractions are not exact.
  return { fullAt: wanted, waitMs: waitMs < ROUNDING_MS ? 0 : Math.ceil(waitMs) }
}

const ROUNDING_MS = 0.5

/**
 * Times as people read them: ISO 8601 in UTC with microseconds and no zone, as Python's `utcnow().isoformat()` writes.
 */

/** `wallMs`: milliseconds since 1970 with a fraction. */
export function isoTimestamp(wallMs: number): string {
  const whole = Math.floor(wallMs)
  const micros = Math.floor((wallMs - whole) * 1000)
  return `${new Date(whole).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}`
}

/**
 * Frames write UTC as `Z` where answers and history write `+00:00`. What is no text stays as it is.
 * Source: recorded (message-timestamp-with-zone).
 */
export const asInFrames = <Value>(timestamp: Value): Value | string =>
  typeof timestamp === 'string' && timestamp.endsWith('+00:00')
    ? `${timestamp.slice(0, -6)}Z`
    : timestamp

/** How long something has run, as Python prints a timedelta: `[D day(s), ]H:MM:SS`. */
export function uptimeText(seconds: number): string {
  const whole = Math.floor(seconds)
  const days = Math.floor(whole / 86_400)
  const two = (part: number): string => String(part).padStart(2, '0')
  const clock = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`
}

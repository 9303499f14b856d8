/**
 * Times as people read them: ISO 8601 in UTC with microseconds and no zone, as Python's `utcnow().isoformat()` writes.
 */

/** `wallMs`: milliseconds since 1970 with a fraction. */
export function isoTimestamp(wallMs: number): string {
  const second = Math.floor(wallMs / 1000)
  // Every message is stamped, many in the same second, and a Date is slow to print.
  if (printed.second !== second) {
    printed = { second, text: new Date(second * 1000).toISOString().slice(0, 20) }
  }
  const micros = Math.floor((wallMs - second * 1000) * 1000)
  return printed.text + String(micros).padStart(6, '0')
}
let printed = { second: NaN, text: '' }

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

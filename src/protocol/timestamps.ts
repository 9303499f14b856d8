/**
 * Formats times for people: ISO 8601 in UTC with microseconds and no zone, like Python's `utcnow().isoformat()`.
 */

/** `wallMs`: milliseconds since 1970 with a fraction. */
export function isoTimestamp(wallMs: number): string {
  const second = Math.floor(wallMs / 1000)
  // Every message gets a timestamp, often many in the same second, and formatting a Date is slow.
  if (printed.second !== second) {
    printed = { second, text: new Date(second * 1000).toISOString().slice(0, 20) }
  }
  const micros = Math.floor((wallMs - second * 1000) * 1000)
  return printed.text + String(micros).padStart(6, '0')
}
let printed = { second: NaN, text: '' }

/**
 * Events have UTC as `Z` where answers and history have `+00:00`. Values that are not text do not change.
 * Source: recorded (message-timestamp-with-zone).
 */
export const asInFrames = <Value>(timestamp: Value): Value | string =>
  typeof timestamp === 'string' && timestamp.endsWith('+00:00')
    ? `${timestamp.slice(0, -6)}Z`
    : timestamp

/** Formats an uptime as Python prints a timedelta: `[D day(s), ]H:MM:SS`. */
export function uptimeText(seconds: number): string {
  const whole = Math.floor(seconds)
  const days = Math.floor(whole / 86_400)
  const two = (part: number): string => String(part).padStart(2, '0')
  const clock = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'}, ${clock}`
}

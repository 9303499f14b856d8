/** What an object or a list has beside its members. */
const BRACKETS = 2

/**
 * Estimates the number of characters of a value as JSON, without writing it. Stops at `limit`: then the result is
 * larger, but not by how much.
 */
export function roughSize(value: unknown, limit = Infinity): number {
  if (typeof value === 'string') return value.length + BRACKETS
  if (typeof value !== 'object' || value === null) return SCALAR
  let size = BRACKETS
  for (const key in value) {
    if (size > limit) return size
    size += key.length + KEY + roughSize((value as Record<string, unknown>)[key], limit - size)
  }
  return size
}

/** Most numbers, and true, false and null, are shorter. */
const SCALAR = 8
/** Quotes, colon and comma. */
const KEY = 4

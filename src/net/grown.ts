/** The smallest size of a buffer. */
const MIN_BYTES = 256

/** Returns the new size of a buffer of `had` bytes that must hold `needed` bytes: it doubles, up to `max`. */
export const grownSize = (needed: number, had: number, max = Infinity): number =>
  Math.max(needed, Math.min(Math.max(2 * had, MIN_BYTES), max))

/**
 * Returns a larger buffer that begins with the first `used` bytes. It is not taken from Node's pool, where a small
 * slice would keep the whole pool buffer alive.
 */
export function grown(buffer: Buffer, used: number, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger, 0, 0, used)
  return larger
}

/** What a buffer is made for at least. */
const FEWEST_BYTES = 256

/** How large a buffer should be that has to hold `needed` bytes, if it held `had` before: it doubles, up to `most`. */
export const grownSize = (needed: number, had: number, most = Infinity): number =>
  Math.max(needed, Math.min(Math.max(2 * had, FEWEST_BYTES), most))

/** A larger buffer that begins with the first `used` bytes. Not of Node's pool: a small part of it would keep the whole. */
export function grown(buffer: Buffer, used: number, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger, 0, 0, used)
  return larger
}

/**
 * The form of a signed text, `value.timestamp.signature`: what its signers share. It is that of the `TimestampSigner`
 * of Python's itsdangerous, whose releases 1.1 and 2.x share the format.
 */

export const SEPARATOR = '.'

/** The SHA-1 of this text and the secret is the key, as itsdangerous derives it by default (django-concat). */
export const KEY_PREFIX = 'itsdangerous.Signersigner'

/** Seconds for which a signature is valid. Source: recorded (signature-expired). */
export const SIGNATURE_MAX_AGE_SECONDS = 60

const MAX_TIMESTAMP_BYTES = 6

/**
 * Returns whole seconds since 1970 as big-endian bytes, without leading zeros. Throws a `RangeError` if they are
 * negative, not finite or 2^48 or more.
 */
export function timestampBytes(atSeconds: number): Uint8Array {
  if (!(atSeconds >= 0 && atSeconds < 2 ** (8 * MAX_TIMESTAMP_BYTES)))
    throw new RangeError(`cannot sign at ${atSeconds} seconds since 1970`)
  const bytes: number[] = []
  for (let rest = Math.floor(atSeconds); rest > 0; rest = Math.floor(rest / 256))
    bytes.unshift(rest % 256)
  return Uint8Array.from(bytes)
}

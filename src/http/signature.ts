/**
 * The signature that a backend puts on its requests: the `TimestampSigner` of Python's itsdangerous, in the wire format
 * that its releases 1.1 and 2.x share. A signed text is `value.timestamp.signature`. `value` may contain dots. The
 * timestamp is seconds since 1970 as big-endian bytes.
 *
 * Needs only `node:crypto`. It is published as `channelstream/signature`, for Node backends that call a Channelstream
 * server.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import {
  KEY_PREFIX,
  SEPARATOR,
  SIGNATURE_MAX_AGE_SECONDS,
  timestampBytes,
} from '../protocol/signed-text.ts'

export { SIGNATURE_MAX_AGE_SECONDS }

/** Longer texts are rejected without parsing, so that hashing a header never takes more than microseconds. */
const MAX_SIGNED_CHARACTERS = 8_192

// Padding and the standard base64 alphabet are allowed because Python's decoder allows them, and backends in other
// languages rely on it. 27 characters hold the 20 bytes of a SHA-1.
const SIGNATURE_FORM = /^[\w+/-]{27}=?$/
const TIMESTAMP_FORM = /^[\w+/-]{0,12}={0,2}$/

/** The content of a valid signature. Times are whole seconds since 1970. */
export interface Verified {
  /** The signed text. Channelstream accepts any text; see {@link coversPath}. */
  readonly value: string
  /** When it was signed, by the signer's clock. */
  readonly timestamp: number
  /** The last second in which it is valid; `Infinity` if its age is not checked. */
  readonly expiresAt: number
}

/** Verifies signed texts. A custom one can be configured: `loadSignatureChecker`. */
export interface SignatureChecker {
  /**
   * Returns `undefined` for every invalid text, and does not throw. `signed` comes from the network: any content, any
   * length. `nowSeconds` is the server's time in seconds since 1970.
   */
  verify(signed: string, nowSeconds: number): Verified | undefined
}

/** Signs with one secret, and verifies with this one and its fallbacks. */
export interface Signer extends SignatureChecker {
  /**
   * Returns `value.timestamp.signature`. `atSeconds` is seconds since 1970; its fraction is dropped. Throws a
   * `RangeError` if it is negative, not finite or 2^48 or more.
   */
  sign(value: string, atSeconds: number): string
}

export interface SignerOptions {
  /** Seconds for which a signature is valid, inclusive. `Infinity`: forever, with any timestamp. */
  readonly maxAgeSeconds?: number
  /** Seconds by which a timestamp may be in the future, to tolerate clock skew. itsdangerous 2.x allows none. */
  readonly maxSkewSeconds?: number
}

/**
 * Creates a signer whose keys are derived from secrets as itsdangerous 2.x does by default (django-concat, SHA-1). Of
 * several secrets, the first one signs, and texts that are signed with any of them are valid.
 *
 * Signatures are valid for 60 seconds (recorded: signature-expired) and may be 30 seconds in the future. With
 * `maxAgeSeconds: Infinity`, signatures of itsdangerous before 1.1, which counts from 2011, are valid as well
 * (recorded: signature-without-time-check). Throws a `RangeError` if there is no secret or an empty one, because anybody
 * could sign with that.
 */
export function createSigner(
  secrets: string | readonly string[],
  options: SignerOptions = {},
): Signer {
  const { maxAgeSeconds = SIGNATURE_MAX_AGE_SECONDS, maxSkewSeconds = 30 } = options
  const keys = [secrets].flat().map(keyOf)
  const [signingKey] = keys
  if (!signingKey) throw new RangeError('there is no signing secret')

  return {
    sign(value, atSeconds) {
      const signedPart = value + SEPARATOR + encodeTimestamp(atSeconds)
      return signedPart + SEPARATOR + digest(signingKey, signedPart).toString('base64url')
    },

    verify(signed, nowSeconds) {
      const parts = split(signed)
      if (!parts || !keys.some((key) => isGenuine(key, parts))) return undefined
      const timestamp = decodeTimestamp(parts.timestamp)
      if (!Number.isSafeInteger(timestamp)) return undefined
      if (maxAgeSeconds === Infinity) return { value: parts.value, timestamp, expiresAt: Infinity }
      const ageSeconds = Math.floor(nowSeconds) - timestamp
      const isFresh = ageSeconds <= maxAgeSeconds && ageSeconds >= -maxSkewSeconds
      return isFresh
        ? { value: parts.value, timestamp, expiresAt: timestamp + maxAgeSeconds }
        : undefined
    },
  }
}

function keyOf(secret: string): Buffer {
  if (secret === '') throw new RangeError('the signing secret is empty')
  return createHash('sha1')
    .update(KEY_PREFIX + secret)
    .digest()
}

/**
 * Returns whether a signature was made for this endpoint, for `signature_scope = endpoint`. The signed value must equal
 * `path`, the request's path without prefix and query, as in `/connect`.
 */
export function coversPath(verified: Verified, path: string): boolean {
  return verified.value === path
}

interface SignedParts {
  readonly value: string
  readonly timestamp: string
  readonly signature: string
}

/** Splits from the right, because values may contain dots. Returns `undefined` if the text cannot be a signed text. */
function split(signed: string): SignedParts | undefined {
  if (signed.length > MAX_SIGNED_CHARACTERS) return undefined
  const signatureDot = signed.lastIndexOf(SEPARATOR)
  if (signatureDot < 1) return undefined
  const timestampDot = signed.lastIndexOf(SEPARATOR, signatureDot - 1)
  if (timestampDot < 0) return undefined
  const timestamp = signed.slice(timestampDot + 1, signatureDot)
  const signature = signed.slice(signatureDot + 1)
  if (!SIGNATURE_FORM.test(signature) || !TIMESTAMP_FORM.test(timestamp)) return undefined
  return { value: signed.slice(0, timestampDot), timestamp, signature }
}

function isGenuine(key: Buffer, { value, timestamp, signature }: SignedParts): boolean {
  const expected = digest(key, value + SEPARATOR + timestamp)
  const given = Buffer.from(signature, 'base64url')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function digest(key: Buffer, text: string): Buffer {
  return createHmac('sha1', key).update(text, 'utf8').digest()
}

const encodeTimestamp = (atSeconds: number): string =>
  Buffer.from(timestampBytes(atSeconds)).toString('base64url')

/** Returns a number that is not a safe integer if the bytes encode a larger one. */
function decodeTimestamp(text: string): number {
  return Buffer.from(text, 'base64url').reduce((seconds, byte) => seconds * 256 + byte, 0)
}

/**
 * The signature that a backend puts on its requests: the `TimestampSigner` of Python's itsdangerous, in
 * the wire format that its releases 1.1 and 2.x share. A signed text is `value.timestamp.signature`,
 * where `value` may hold dots of its own; the timestamp is seconds since 1970 as big-endian bytes.
 *
 * Stands alone (only `node:crypto`) and is published as `channelstream/signature`, for Node backends
 * that call a Channelstream server.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

const SALT = 'itsdangerous.Signer'
const SEPARATOR = '.'
/** Longer texts are refused unread, so that hashing a request's header never costs more than microseconds. */
const MAX_SIGNED_CHARACTERS = 8_192
const MAX_TIMESTAMP_BYTES = 6

// Padding and the plain base64 alphabet are let in because Python's decoder lets them in, and backends
// in other languages rely on it. 27 characters hold the 20 bytes of a SHA-1.
const SIGNATURE_FORM = /^[\w+/-]{27}=?$/
const TIMESTAMP_FORM = /^[\w+/-]{0,12}={0,2}$/

/** What a good signature vouches for. Times are whole seconds since 1970. */
export interface Verified {
  /** The text that was signed. Channelstream accepts any; see {@link coversPath}. */
  readonly value: string
  /** When it was signed, by the clock of whoever signed it. */
  readonly timestamp: number
  /** The last second in which it is good; `Infinity` when age is not looked at. */
  readonly expiresAt: number
}

/** Decides whether a signed text is good. An own one can be configured: `loadSignatureChecker`. */
export interface SignatureChecker {
  /**
   * `signed` comes from the network and may be anything of any length; `nowSeconds` is the server's
   * time in seconds since 1970. Answers `undefined` for whatever is not good, and does not throw.
   */
  verify(signed: string, nowSeconds: number): Verified | undefined
}

/** Signs and verifies with one secret. */
export interface Signer extends SignatureChecker {
  /**
   * Answers `value.timestamp.signature`. `atSeconds` is seconds since 1970, of which the fraction is
   * dropped; a `RangeError` is thrown if it is negative, not finite or past 2^48.
   */
  sign(value: string, atSeconds: number): string
}

export interface SignerOptions {
  /** Seconds for which a signature is good, the last one included. `Infinity`: forever, at any timestamp. */
  readonly maxAgeSeconds?: number
  /** Seconds by which a timestamp may lie in the future, for clocks that differ. itsdangerous 2.x allows none. */
  readonly maxSkewSeconds?: number
}

/** Seconds for which a signature is good. Source: recorded (signature-expired). */
export const SIGNATURE_MAX_AGE_SECONDS = 60

/**
 * A signer whose key comes from `secret` as itsdangerous 2.x derives it by default (django-concat, SHA-1).
 *
 * Signatures are good for 60 seconds (recorded: signature-expired) and may be 30 seconds ahead. With
 * `maxAgeSeconds: Infinity` those of itsdangerous before 1.1, which counted from 2011, are good as well
 * (recorded: signature-without-time-check). Throws a `RangeError` on an empty secret, with which anybody
 * could sign.
 */
export function createSigner(secret: string, options: SignerOptions = {}): Signer {
  if (secret === '') throw new RangeError('the signing secret is empty')
  const { maxAgeSeconds = SIGNATURE_MAX_AGE_SECONDS, maxSkewSeconds = 30 } = options
  const key = createHash('sha1').update(`${SALT}signer${secret}`).digest()

  return {
    sign(value, atSeconds) {
      const signedPart = value + SEPARATOR + encodeTimestamp(atSeconds)
      return signedPart + SEPARATOR + digest(key, signedPart).toString('base64url')
    },

    verify(signed, nowSeconds) {
      const parts = split(signed)
      if (!parts || !isGenuine(key, parts)) return undefined
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

/**
 * Whether a signature was made for this endpoint, for `signature_scope = endpoint`. `path` is the
 * request's path without prefix and query, as in `/connect`, and has to be what was signed, exactly.
 */
export function coversPath(verified: Verified, path: string): boolean {
  return verified.value === path
}

interface SignedParts {
  readonly value: string
  readonly timestamp: string
  readonly signature: string
}

/** Splits from the right, since values may hold dots; `undefined` if it cannot be a signed text. */
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

function encodeTimestamp(atSeconds: number): string {
  if (!(atSeconds >= 0 && atSeconds < 2 ** (8 * MAX_TIMESTAMP_BYTES))) {
    throw new RangeError(`cannot sign at ${atSeconds} seconds since 1970`)
  }
  const bytes = Buffer.alloc(MAX_TIMESTAMP_BYTES)
  bytes.writeUIntBE(Math.floor(atSeconds), 0, MAX_TIMESTAMP_BYTES)
  const first = bytes.findIndex((byte) => byte !== 0)
  return first < 0 ? '' : bytes.toString('base64url', first)
}

/** Not a safe integer if the bytes hold more than one. */
function decodeTimestamp(text: string): number {
  return Buffer.from(text, 'base64url').reduce((seconds, byte) => seconds * 256 + byte, 0)
}

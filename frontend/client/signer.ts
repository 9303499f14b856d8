/**
 * The signature that a backend puts on its requests, for tools that know the server's secret: never for pages that
 * others may read. It is what `TimestampSigner` of Python's itsdangerous makes since its release 1.1.
 */
import { hmacSha1, sha1 } from './sha1.ts'

const SALT = 'itsdangerous.Signer'
const MAX_SECONDS = 2 ** 48

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

/** Signs with one secret. Synchronous, and on every page: the browser's own cryptography is neither. */
export class ChannelstreamSigner {
  readonly #key: Uint8Array

  /** Throws a `RangeError` on an empty secret, with which anybody could sign. */
  constructor(secret: string) {
    if (secret === '') throw new RangeError('the signing secret is empty')
    this.#key = sha1(bytesOf(`${SALT}signer${secret}`))
  }

  /** The value of the header `x-channelstream-secret` for a request that is sent within a minute. */
  signRequest(): string {
    return this.sign('channelstream')
  }

  /**
   * `value.timestamp.signature`. `atSeconds` is seconds since 1970, of which the fraction is dropped; throws a `RangeError`
   * if it is negative, not finite or past 2^48.
   */
  sign(value: string, atSeconds = Date.now() / 1000): string {
    const signed = `${value}.${base64url(timestampOf(atSeconds))}`
    return `${signed}.${base64url(hmacSha1(this.#key, bytesOf(signed)))}`
  }
}

/** Big-endian, without leading zeros. */
function timestampOf(atSeconds: number): Uint8Array {
  if (!(atSeconds >= 0 && atSeconds < MAX_SECONDS))
    throw new RangeError(`cannot sign at ${atSeconds} seconds since 1970`)
  const bytes: number[] = []
  for (let rest = Math.floor(atSeconds); rest > 0; rest = Math.floor(rest / 256))
    bytes.unshift(rest % 256)
  return Uint8Array.from(bytes)
}

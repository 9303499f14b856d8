/**
 * The signature of backend requests, for tools that know the server's secret. Never use it in pages that others can
 * read. It is compatible with `TimestampSigner` of Python's itsdangerous since 1.1.
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

/** Signs with one secret. Unlike Web Crypto, it is synchronous and works on pages without https. */
export class ChannelstreamSigner {
  readonly #key: Uint8Array

  /** Throws a `RangeError` if the secret is empty, since anybody could sign with it. */
  constructor(secret: string) {
    if (secret === '') throw new RangeError('the signing secret is empty')
    this.#key = sha1(bytesOf(`${SALT}signer${secret}`))
  }

  /** Returns the value of the header `x-channelstream-secret`. It is valid for one minute. */
  signRequest(): string {
    return this.sign('channelstream')
  }

  /**
   * Returns `value.timestamp.signature`. `atSeconds` is seconds since 1970; its fraction is dropped. Throws a
   * `RangeError` if it is negative, not finite, or 2^48 or more.
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

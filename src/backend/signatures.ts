/** Signs requests with WebCrypto, which workers have too. */
import {
  KEY_PREFIX,
  SEPARATOR,
  SIGNATURE_MAX_AGE_SECONDS,
  timestampBytes,
} from '../protocol/signed-text.ts'
import type { webcrypto } from 'node:crypto'

/**
 * A third of the lifetime. The rest allows for requests that wait, and for a server whose clock is half a minute ahead.
 */
const RENEWED_AFTER_SECONDS = SIGNATURE_MAX_AGE_SECONDS / 3

/**
 * Caches signatures by path, and renews each long before it expires. The server caches them too, so it checks each
 * once.
 */
export class Signatures {
  readonly #secret: string
  #key: webcrypto.CryptoKey | undefined
  readonly #made = new Map<string, { readonly signed: string; readonly atSeconds: number }>()

  constructor(secret: string) {
    this.#secret = secret
  }

  /** Returns a signature for `path`. The signed text is the path, as `signature_scope = endpoint` requires. */
  async of(path: string, nowSeconds = Date.now() / 1000): Promise<string> {
    const known = this.#made.get(path)
    const age = known ? nowSeconds - known.atSeconds : Infinity
    if (known && age >= 0 && age < RENEWED_AFTER_SECONDS) return known.signed
    const signed = await this.#sign(path, nowSeconds)
    this.#made.set(path, { signed, atSeconds: nowSeconds })
    return signed
  }

  async #sign(value: string, atSeconds: number): Promise<string> {
    this.#key ??= await deriveKey(this.#secret)
    const signedPart = value + SEPARATOR + base64url(timestampBytes(atSeconds))
    const signature = await crypto.subtle.sign('HMAC', this.#key, bytesOf(signedPart))
    return signedPart + SEPARATOR + base64url(new Uint8Array(signature))
  }
}

async function deriveKey(secret: string): Promise<webcrypto.CryptoKey> {
  const key = await crypto.subtle.digest('SHA-1', bytesOf(KEY_PREFIX + secret))
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-1' }, false, ['sign'])
}

const bytesOf = (text: string) => new TextEncoder().encode(text)

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

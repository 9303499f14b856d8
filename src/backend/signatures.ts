import { SIGNATURE_MAX_AGE_SECONDS, createSigner } from '../http/signature.ts'
import type { Signer } from '../http/signature.ts'

/**
 * A third of the lifetime. The rest allows for requests that wait, and for a server whose clock is half a minute ahead.
 */
const RENEWED_AFTER_SECONDS = SIGNATURE_MAX_AGE_SECONDS / 3

/**
 * Caches signatures by path, and renews each long before it expires. The server caches them too, so it checks each
 * once.
 */
export class Signatures {
  readonly #signer: Signer
  readonly #made = new Map<string, { readonly signed: string; readonly atSeconds: number }>()

  /** Throws a `RangeError` on an empty secret. */
  constructor(secret: string) {
    this.#signer = createSigner(secret)
  }

  /** Returns a signature for `path`. The signed text is the path, as `signature_scope = endpoint` requires. */
  of(path: string, nowSeconds = Date.now() / 1000): string {
    const known = this.#made.get(path)
    const age = known ? nowSeconds - known.atSeconds : Infinity
    if (known && age >= 0 && age < RENEWED_AFTER_SECONDS) return known.signed
    const signed = this.#signer.sign(path, nowSeconds)
    this.#made.set(path, { signed, atSeconds: nowSeconds })
    return signed
  }
}

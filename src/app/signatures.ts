import { loadSignatureChecker, rememberVerified } from '../http/signature-checker.ts'
import { SIGNATURE_MAX_AGE_SECONDS, createSigner } from '../http/signature.ts'
import { secretsOf } from '../lib/secrets.ts'
import type { Config } from '../config/schema.ts'
import type { SignatureChecker, Verified } from '../http/signature.ts'

/** Checks signatures with the secrets of the configuration, which may be read again. */
export class CurrentChecker implements SignatureChecker {
  constructor(private current: SignatureChecker) {}

  verify(signed: string, nowSeconds: number): Verified | undefined {
    return this.current.verify(signed, nowSeconds)
  }

  replace(checker: SignatureChecker): void {
    this.current = checker
  }
}

/** Creates the check of signatures, or loads that of the operator. Rejects if that cannot be used. */
export async function openSignatureChecker(config: Config): Promise<SignatureChecker> {
  const { signature_checker: module, secret } = config
  const [, ...secretFallbacks] = secretsOf(secret, config.secret_fallbacks)
  const maxAgeSeconds = config.validate_requests ? SIGNATURE_MAX_AGE_SECONDS : Infinity
  const checker =
    module === ''
      ? createSigner([secret, ...secretFallbacks], { maxAgeSeconds })
      : await loadSignatureChecker(
          module,
          { secret, secretFallbacks, maxAgeSeconds },
          process.cwd(),
        )
  return rememberVerified(checker, config.max_cached_signatures)
}

/** Loads the configured signature checker and caches the signatures that it accepted. */
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { SignatureChecker, Verified } from './signature.ts'

/**
 * Wraps `checker` in a cache of valid texts. A text that is sent again is looked up instead of hashed, until it
 * expires. Keeps `maxEntries` texts (0: none) and drops the oldest beyond that.
 *
 * Invalid texts are never cached: a flood of them must not evict the valid ones.
 */
export function rememberVerified(checker: SignatureChecker, maxEntries: number): SignatureChecker {
  const remembered = new Map<string, Verified>()

  const remember = (signed: string, verified: Verified): void => {
    remembered.set(signed, verified)
    if (remembered.size <= maxEntries) return
    const [oldest] = remembered.keys()
    if (oldest !== undefined) remembered.delete(oldest)
  }

  return {
    verify(signed, nowSeconds) {
      const known = remembered.get(signed)
      if (known) {
        if (Math.floor(nowSeconds) <= known.expiresAt) return known
        remembered.delete(signed)
      }
      const verified = checker.verify(signed, nowSeconds)
      if (verified) remember(signed, verified)
      return verified
    },
  }
}

/** The argument of a checker module's `createSignatureChecker`. */
export interface SignatureCheckerOptions {
  /** The configured `secret`. */
  readonly secret: string
  /** Other secrets that signatures may be made with, while the secret is being changed: `secret_fallbacks`. */
  readonly secretFallbacks: readonly string[]
  /** Seconds for which a signature is valid; `Infinity` with `validate_requests = false`. */
  readonly maxAgeSeconds: number
}

/** The export `createSignatureChecker` of a checker module. It may return a promise. */
export type CreateSignatureChecker = (
  options: SignatureCheckerOptions,
) => SignatureChecker | Promise<SignatureChecker>

/**
 * Loads the operator's checker module. `specifier` is a path or the name of a package. A path begins with `./`, `../`
 * or `/` and is relative to `baseDirectory`. A package is looked up from `baseDirectory`, then from the server's own
 * directory.
 *
 * Rejects with an `Error` that names the module and what is expected of it, if it cannot be loaded, has no function
 * `createSignatureChecker`, or if that function throws or returns something else.
 */
export async function loadSignatureChecker(
  specifier: string,
  options: SignatureCheckerOptions,
  baseDirectory: string,
): Promise<SignatureChecker> {
  const module = await importChecker(specifier, baseDirectory)
  const create = module['createSignatureChecker']
  if (typeof create !== 'function') throw unusable(specifier, 'it has no such export')
  const checker = await createChecker(create as CreateSignatureChecker, specifier, options)
  if (!isChecker(checker))
    throw unusable(specifier, 'createSignatureChecker returned something else')
  return checker
}

async function importChecker(
  specifier: string,
  baseDirectory: string,
): Promise<Record<string, unknown>> {
  try {
    return await importModule(locate(specifier, baseDirectory))
  } catch (error) {
    throw unusable(specifier, 'it could not be loaded', error)
  }
}

/**
 * Imports a module. In an executable made with Node 26 (`scripts/build-binary.mjs`), `import()` finds only modules of
 * Node itself. `require` then loads the file, if it has no top-level `await`.
 */
async function importModule(location: string): Promise<Record<string, unknown>> {
  try {
    return (await import(location)) as Record<string, unknown>
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_UNKNOWN_BUILTIN_MODULE' || !location.startsWith('file:')) throw error
    return createRequire(location)(fileURLToPath(location)) as Record<string, unknown>
  }
}

function locate(specifier: string, baseDirectory: string): string {
  if (/^\.{1,2}[/\\]/.test(specifier) || isAbsolute(specifier)) {
    return pathToFileURL(resolve(baseDirectory, specifier)).href
  }
  try {
    return pathToFileURL(createRequire(join(resolve(baseDirectory), 'any.js')).resolve(specifier))
      .href
  } catch {
    return specifier // not found, or only for `import`: Node's own lookup decides
  }
}

async function createChecker(
  create: CreateSignatureChecker,
  specifier: string,
  options: SignatureCheckerOptions,
): Promise<unknown> {
  try {
    return await create(options)
  } catch (error) {
    throw unusable(specifier, 'createSignatureChecker failed', error)
  }
}

function isChecker(value: unknown): value is SignatureChecker {
  return typeof (value as Partial<SignatureChecker> | null | undefined)?.verify === 'function'
}

function unusable(specifier: string, why: string, cause?: unknown): Error {
  const detail = cause instanceof Error ? `: ${cause.message}` : ''
  return new Error(
    `signature checker '${specifier}' is not usable: ${why}${detail}. Expected is a module (a package, or ` +
      'a path that begins with ./, ../ or /) with an export createSignatureChecker({ secret, ' +
      'maxAgeSeconds }) that returns { verify(signed, nowSeconds) }',
    { cause },
  )
}

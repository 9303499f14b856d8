/** Which signature checker the server asks, and its memory of what that checker has found good. */
import { createRequire } from 'node:module'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SignatureChecker, Verified } from './signature.ts'

/**
 * Remembers what `checker` found good, so that a text sent again is looked up and not hashed again,
 * until it expires. Keeps `maxEntries` texts (0: none) and drops the oldest beyond that.
 *
 * Texts that are not good are never remembered: a flood of them must not push the good ones out.
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

/** What a checker module is given. */
export interface SignatureCheckerOptions {
  /** The configured `secret`. */
  readonly secret: string
  /** Seconds for which a signature should be good; `Infinity` with `validate_requests = false`. */
  readonly maxAgeSeconds: number
}

/** What a checker module exports as `createSignatureChecker`. It may answer with a promise. */
export type CreateSignatureChecker = (
  options: SignatureCheckerOptions,
) => SignatureChecker | Promise<SignatureChecker>

/**
 * The checker of a module of the operator's. `specifier` is a path, which begins with `./`, `../` or `/`
 * and is relative to `baseDirectory`, or the name of a package, which is looked for from
 * `baseDirectory` and then from the server's own place.
 *
 * Rejects with an `Error` that names the module and what is expected of it, if it cannot be loaded, has
 * no function `createSignatureChecker`, or that function fails or answers with something else.
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
    return (await import(locate(specifier, baseDirectory))) as Record<string, unknown>
  } catch (error) {
    throw unusable(specifier, 'it could not be loaded', error)
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
    return specifier // not there, or only for `import`: Node's own search says which
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

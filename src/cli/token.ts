/** Makes tokens for Philote's JWT generation, and reads the flags for signing them. */
import { SignJWT } from 'jose'
import { ALGORITHMS, hmacKey } from '../philote/token.ts'
import type { FlagValues, Flags } from './flags.ts'

export interface TokenClaims {
  readonly read?: readonly string[]
  readonly write?: readonly string[]
  readonly api?: boolean
  /** Seconds since 1970. */
  readonly exp?: number
}

/** How a token is signed. */
export interface Signature {
  readonly secret: string
  /** HS256, HS384 or HS512. */
  readonly algorithm: string
}

export const SIGNING_FLAGS = {
  s: {
    value: 'SECRET',
    about: 'the key to sign the token with; if omitted, the environment variable SECRET',
  },
  'empty-secret': { about: 'sign with an empty secret, for a server whose secret is empty' },
  alg: { value: 'NAME', about: `one of ${ALGORITHMS.join(', ')}`, default: 'HS256' },
} as const satisfies Flags

/** Returns the signature that the flags and `SECRET` describe, or a text that says what is wrong with them. */
export function readSignature(
  flags: FlagValues<typeof SIGNING_FLAGS>,
  env: Readonly<Record<string, string | undefined>>,
): Signature | string {
  const { alg: algorithm, s, 'empty-secret': isEmpty } = flags
  if (!ALGORITHMS.includes(algorithm)) return `flag -alg: expected one of ${ALGORITHMS.join(', ')}`
  if (isEmpty && s !== undefined && s !== '')
    return 'flag -empty-secret: cannot be used together with a secret in -s'
  const secret = isEmpty ? '' : (s ?? env['SECRET'] ?? '')
  // An empty secret is usually a forgotten variable, and anyone can sign with it.
  if (secret === '' && !isEmpty)
    return 'the secret is empty: use -s SECRET or the environment variable SECRET, or -empty-secret if that is intended'
  return { secret, algorithm }
}

/** Signs a token. It has no time of issue: with a wrong clock, that would be in the future for the server. */
export function signToken(claims: TokenClaims, { secret, algorithm }: Signature): Promise<string> {
  const header = { alg: algorithm, typ: 'JWT' }
  return new SignJWT({ ...claims }).setProtectedHeader(header).sign(hmacKey(secret))
}

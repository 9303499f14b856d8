/** Tokens for Philote's JWT generation, and the flags that say what signs them. */
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
    about: 'what the token is signed with; else the environment variable SECRET',
  },
  'empty-secret': { about: 'sign with an empty secret, for a server that has an empty one' },
  alg: { value: 'NAME', about: `one of ${ALGORITHMS.join(', ')}`, default: 'HS256' },
} as const satisfies Flags

/** What the flags and `SECRET` say; a text is what is wrong with them. */
export function readSignature(
  flags: FlagValues<typeof SIGNING_FLAGS>,
  env: Readonly<Record<string, string | undefined>>,
): Signature | string {
  const { alg: algorithm, s, 'empty-secret': isEmpty } = flags
  if (!ALGORITHMS.includes(algorithm)) return `flag -alg: expected one of ${ALGORITHMS.join(', ')}`
  if (isEmpty && s !== undefined && s !== '') return 'flag -empty-secret: there is a secret in -s'
  const secret = isEmpty ? '' : (s ?? env['SECRET'] ?? '')
  // An empty one is a forgotten variable more often than a wish, and signs what everybody can sign.
  if (secret === '' && !isEmpty)
    return 'the secret is empty: give -s SECRET or the environment variable SECRET, or -empty-secret if it is meant'
  return { secret, algorithm }
}

/** A token for a server with this secret. It has no time of issue, which clocks that differ would put in the future. */
export function signToken(claims: TokenClaims, { secret, algorithm }: Signature): Promise<string> {
  const header = { alg: algorithm, typ: 'JWT' }
  return new SignJWT({ ...claims }).setProtectedHeader(header).sign(hmacKey(secret))
}

import { compactVerify } from 'jose'
import { asBoolean, asInteger, asText, asTexts, membersOf, readStruct } from './go-json.ts'
import { JWT_REFUSALS } from './refusals.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { Fields, Member } from './go-json.ts'
import type { Refusal } from './refusals.ts'

/** The permissions of a token. Any text is a valid channel name here, even an empty one. */
export interface Permissions {
  readonly read: readonly ChannelName[]
  readonly write: ReadonlySet<string>
  /** Whether the client may use the API. */
  readonly api: boolean
}

export type TokenCheck = Permissions | { readonly refusal: Refusal }

export const ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512']
/** The original knows these algorithms, but has no keys for them. */
const ASYMMETRIC = /^(RS|PS|ES)(256|384|512)$/

/** Checks tokens against secrets. All connections share one checker, so that expensive work is done once. */
export class TokenChecker {
  #keys: readonly Uint8Array[]

  constructor(
    /** Tokens may be signed with any of them. */
    secrets: string | readonly string[],
    /** Milliseconds since 1970. */
    private readonly wallTime: () => number,
  ) {
    this.#keys = [secrets].flat().map(hmacKey)
  }

  /** Applies to tokens that are checked from now on. */
  changeSecrets(secrets: readonly string[]): void {
    this.#keys = secrets.map(hmacKey)
  }

  /** Resolves with the token's permissions or a refusal: of several faults, the one that the original reports. */
  async check(token: string): Promise<TokenCheck> {
    const read = readToken(token)
    if ('refusal' in read) return read
    if (!(await this.#isSigned(token))) return { refusal: JWT_REFUSALS.signature }
    const { claims } = read
    const now = Math.floor(this.wallTime() / 1000)
    if (claims.nbf !== 0 && now < claims.nbf) return { refusal: JWT_REFUSALS.notYet }
    if (claims.iat !== 0 && now < claims.iat) return { refusal: JWT_REFUSALS.issuedLater }
    if (claims.exp !== 0 && now > claims.exp)
      return { refusal: JWT_REFUSALS.expired(now - claims.exp) }
    return {
      read: [...new Set(claims.read)] as ChannelName[],
      write: new Set(claims.write),
      api: claims.api,
    }
  }

  async #isSigned(token: string): Promise<boolean> {
    for (const key of this.#keys) if (await isSignedWith(key, token)) return true
    return false
  }
}

async function isSignedWith(key: Uint8Array, token: string): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [...ALGORITHMS] })
    return true
  } catch {
    return false
  }
}

/** Makes an HMAC key of a secret. */
export function hmacKey(secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret)
  // WebCrypto rejects an empty key. HMAC pads keys with zeros, so a single zero is equivalent.
  return bytes.length > 0 ? bytes : new Uint8Array(1)
}

interface Claims {
  readonly read: readonly string[]
  readonly write: readonly string[]
  readonly api: boolean
  readonly exp: number
  readonly nbf: number
  readonly iat: number
}

/** Checks everything but the signature and the times. */
function readToken(token: string): { readonly claims: Claims } | { readonly refusal: Refusal } {
  const parts = token.split('.')
  const [header = '', payload = '', signature = ''] = parts
  if (parts.length !== 3) return { refusal: JWT_REFUSALS.segments }
  if (/^bearer /i.test(token)) return { refusal: JWT_REFUSALS.lowerCaseBearer }
  const fault = badBase64([header, payload])
  if (fault !== undefined) return { refusal: JWT_REFUSALS.encoding(fault) }
  const members = membersOf(decode(header))
  if (!members) return { refusal: JWT_REFUSALS.notJson }
  const claims = readStruct(decode(payload), CLAIMS, NO_CLAIMS)
  if (!claims) return { refusal: JWT_REFUSALS.claims }
  const refusal = refuseAlgorithm(algorithmIn(members), signature) ?? refuseCritical(members)
  return refusal ? { refusal } : { claims }
}

/**
 * Refuses critical headers: extensions that the reader must understand (`crit`, RFC 7515, 4.1.11), and an unencoded
 * payload (`b64`, RFC 7797). The original ignores both, and so reads claims that the signer did not make.
 */
const refuseCritical = (header: readonly Member[]): Refusal | undefined =>
  header.some(([name, value]) => name === 'crit' || (name === 'b64' && value !== true))
    ? JWT_REFUSALS.critical
    : undefined

function refuseAlgorithm(algorithm: unknown, signature: string): Refusal | undefined {
  if (typeof algorithm !== 'string') return JWT_REFUSALS.noAlgorithm
  if (algorithm === 'none') return JWT_REFUSALS.noneAlgorithm
  if (!ALGORITHMS.includes(algorithm) && !ASYMMETRIC.test(algorithm))
    return JWT_REFUSALS.unknownAlgorithm
  const fault = badBase64([signature])
  if (fault !== undefined) return JWT_REFUSALS.encoding(fault)
  return ASYMMETRIC.test(algorithm) ? JWT_REFUSALS.keyType : undefined
}

/**
 * Returns the position of the first character that is not valid base64url, if there is one. Padding is valid, since some
 * libraries write it: all that a text of this length has, or none.
 */
function badBase64(parts: readonly string[]): number | undefined {
  for (const part of parts) {
    const [text = ''] = part.split(/={1,2}$/)
    const at = text.search(/[^A-Za-z0-9_-]/)
    if (at >= 0) return at
    if (text.length % 4 === 1) return text.length
    if (part !== text && part.length % 4 !== 0) return text.length
  }
  return undefined
}

const decode = (part: string): string => Buffer.from(part, 'base64url').toString()

/** Returns null if the header has no algorithm. */
const algorithmIn = (header: readonly Member[]): unknown =>
  header.findLast(([name]) => name === 'alg')?.[1] ?? null

const NO_CLAIMS: Claims = { read: [], write: [], api: false, exp: 0, nbf: 0, iat: 0 }

/** Registered claims that are not used here must still have the right type. */
const CLAIMS: Fields = new Map([
  ['read', asTexts],
  ['write', asTexts],
  ['api', asBoolean],
  ...['exp', 'nbf', 'iat'].map((name) => [name, asInteger] as const),
  ...['aud', 'iss', 'sub', 'jti'].map((name) => [name, asText] as const),
])

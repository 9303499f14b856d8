import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { TokenChecker } from '../../src/philote/token.ts'
import { signToken } from './client.ts'
import type { TokenParts } from './client.ts'

const NOW = 1_900_000_000
const SECRET = 'a secret'
const checker = new TokenChecker(SECRET, () => NOW * 1000)

async function refusalOf(token: string): Promise<string | undefined> {
  const checked = await checker.check(token)
  return 'refusal' in checked ? checked.refusal.text : undefined
}
const refusal = (parts: TokenParts) => refusalOf(signToken(parts, SECRET))

describe('a token', () => {
  it('tells what may be read and written, each channel once, in any letter case of its claims', async () => {
    const token = signToken({ claims: { READ: ['a', 'a', ''], Write: ['b'], api: true } }, SECRET)
    expect(await checker.check(token)).toEqual({
      read: ['a', ''],
      write: new Set(['b']),
      api: true,
    })
  })

  it.each(['HS256', 'HS384', 'HS512'])('may be signed with %s', async (alg) => {
    expect(await refusal({ alg, claims: {} })).toBeUndefined()
  })

  it('may be signed with any of several secrets, and with no other', async () => {
    const rotating = new TokenChecker(['new', SECRET, 'old'], () => NOW * 1000)
    const refusalWith = async (secret: string, alg = 'HS256') => {
      const checked = await rotating.check(signToken({ alg, claims: {} }, secret))
      return 'refusal' in checked ? checked.refusal.text : undefined
    }
    for (const secret of ['new', SECRET, 'old'])
      for (const alg of ['HS256', 'HS512']) expect(await refusalWith(secret, alg)).toBeUndefined()
    for (const secret of ['', 'other', 'newold'])
      expect(await refusalWith(secret)).toBe('signature is invalid')
    const expired = signToken({ claims: { exp: NOW - 1 } }, 'old')
    expect(await rotating.check(expired)).toMatchObject({
      refusal: { text: 'token is expired by 1s' },
    })
  })

  it.each([
    ['none', "'none' signature type is not allowed"],
    ['None', 'signing method (alg) is unavailable.'],
    ['HS1', 'signing method (alg) is unavailable.'],
    ['', 'signing method (alg) is unavailable.'],
    ['RS256', 'key is of invalid type'],
    ['ES256', 'key is of invalid type'],
  ])('may not be signed with %j', async (alg, text) => {
    expect(await refusal({ header: { alg }, signAs: 'HS256' })).toBe(text)
  })

  it('is refused with the algorithm of a public key, whatever the secret', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const withPublicKey = new TokenChecker(pem, () => NOW * 1000)
    const token = signToken({ header: { alg: 'RS256' }, signAs: 'HS256', secret: pem }, pem)
    expect(await withPublicKey.check(token)).toHaveProperty('refusal')
  })

  it.each<[string, object]>([
    ['an extension that nobody knows', { crit: ['exp'], exp: 1 }],
    ['an unencoded payload', { crit: ['b64'], b64: false }],
    ['an encoded payload, said to be critical', { crit: ['b64'], b64: true }],
    ['an unencoded payload, not said to be critical', { b64: false }],
    ['an empty list', { crit: [] }],
    ['no list', { crit: null }],
  ])('is refused if its header asks for %s', async (_, header) => {
    expect(await refusal({ header: { alg: 'HS256', ...header } })).toBe(
      'token has critical headers',
    )
    expect(await refusal({ header: { alg: 'HS256', ...header }, secret: 'x' })).toBeDefined()
  })

  it.each([
    '{"alg":"HS256","cr\\u0069t":["b64"],"b64":true}',
    '{"alg":"HS256","crit":["x"],"crit":1}',
  ])('is refused however that is written: %s', async (rawHeader) => {
    expect(await refusal({ rawHeader })).toBe('token has critical headers')
  })

  it('may have headers that mean nothing here', async () => {
    const header = {
      alg: 'HS256',
      b64: true,
      kid: 'crit',
      jku: 'https://example.com',
      cty: 'b64',
      Crit: ['x'],
    }
    expect(await refusal({ header })).toBeUndefined()
  })

  const headSigned = (head: string): string =>
    `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`
  const padded = (text: string): string => text.padEnd(4 * Math.ceil(text.length / 4), '=')

  it.each(['a', 'aa', 'aaa'])('may be padded, in each of its parts: %s', async (channel) => {
    const [header = '', payload = ''] = signToken({ claims: { read: [channel] } }, SECRET).split(
      '.',
    )
    const heads = [`${padded(header)}.${payload}`, `${header}.${padded(payload)}`]
    const tokens = heads.map(headSigned)
    const [, , signature = ''] = headSigned(`${header}.${payload}`).split('.')
    for (const token of [...tokens, `${header}.${payload}.${padded(signature)}`])
      expect(await checker.check(token)).toEqual({ read: [channel], write: new Set(), api: false })
  })

  it.each(['e30===', 'e30==', 'e===', '=', 'e3=0', 'e30=e30='])(
    'may have no other padding: %s',
    async (payload) => {
      const [header = ''] = signToken({}, SECRET).split('.')
      expect(await refusalOf(headSigned(`${header}.${payload}`))).toMatch(/^illegal base64 data/)
    },
  )

  it.each(['', 'a', 'a.b', 'a.b.c.d', 'e30.e30', '..', '...'])(
    'has three parts: %j',
    async (token) => {
      expect(await refusalOf(token)).toBeDefined()
    },
  )

  it.each<[string, unknown]>([
    ['read', 'a'],
    ['read', [1]],
    ['write', {}],
    ['api', 'true'],
    ['api', 1],
    ['exp', '1900000060'],
    ['exp', 1.5],
    ['nbf', true],
    ['aud', ['someone']],
    ['iss', 7],
    ['sub', {}],
    ['jti', 1],
  ])('is refused with %s: %j', async (name, value) => {
    expect(await refusal({ claims: { [name]: value } })).toBe('claims are of a wrong type')
    expect(await refusal({ claims: { [name]: null } })).toBeUndefined()
  })

  it.each(['1e10', '1.0'])('has no exp of %s: that is no integer', async (exp) => {
    expect(await refusal({ rawClaims: `{"exp":${exp}}` })).toBe('claims are of a wrong type')
  })

  it('holds until it expires, from when it may be used', async () => {
    expect(await refusal({ claims: { exp: NOW, nbf: NOW, iat: NOW } })).toBeUndefined()
    expect(await refusal({ claims: { exp: 0, nbf: 0, iat: 0 } })).toBeUndefined()
    expect(await refusal({ claims: { exp: NOW - 1 } })).toBe('token is expired by 1s')
    expect(await refusal({ claims: { exp: NOW - 60 } })).toBe('token is expired by 1m0s')
    expect(await refusal({ claims: { exp: NOW - 3723 } })).toBe('token is expired by 1h2m3s')
    expect(await refusal({ claims: { nbf: NOW + 1 } })).toBe('token is not valid yet')
    expect(await refusal({ claims: { iat: NOW + 1 } })).toBe('Token used before issued')
  })

  it('is told the first of several faults: signature, nbf, iat, exp', async () => {
    const claims = { exp: NOW - 1, nbf: NOW + 1, iat: NOW + 1 }
    expect(await refusal({ claims, secret: 'x' })).toBe('signature is invalid')
    expect(await refusal({ claims })).toBe('token is not valid yet')
    expect(await refusal({ claims: { ...claims, nbf: 0 } })).toBe('Token used before issued')
  })

  it('is checked against an empty secret as HMAC has it', async () => {
    const open = new TokenChecker('', () => NOW * 1000)
    const head = signToken({ claims: { read: ['a'] } }, 'x')
      .split('.')
      .slice(0, 2)
      .join('.')
    const signature = createHmac('sha256', '').update(head).digest('base64url')
    expect(await open.check(`${head}.${signature}`)).toMatchObject({ read: ['a'] })
    expect(await open.check(signToken({}, 'x'))).toHaveProperty('refusal')
  })
})

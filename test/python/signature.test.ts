import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSigner } from '../../src/http/signature.ts'
import { DEBIAN_PYTHON, INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'

const SCRIPT = fileURLToPath(new URL('itsdangerous_signer.py', import.meta.url))
const SECRETS = ['secret', 'Ünï-sécret 42', 'a.b.c', '秘密 🔑', ' ', '\0', 'x'.repeat(300)]
const VALUES = [
  'channelstream',
  '',
  '/connect',
  'with.dots..',
  '.',
  'grüße',
  '🙂',
  'line\nbreak\0',
  'x'.repeat(3000),
]

const PAIRS = SECRETS.flatMap((secret) => VALUES.map((value) => ({ secret, value })))
const anyPairs = fc.array(
  fc.record({
    secret: fc.string({ unit: 'binary', minLength: 1 }),
    value: fc.string({ unit: 'binary' }),
  }),
  { minLength: 20, maxLength: 40 },
)

type Job = { secret: string } & ({ sign: string } | { unsign: string; age?: null })

describe("signatures and Debian's python3-itsdangerous", () => {
  beforeAll(setup, INSTALL_TIMEOUT_MS)

  it('accepts what Python signs, and finds the same value', () => {
    expect(acceptedFromPython(PAIRS)).toEqual(PAIRS.map(({ value }) => value))
  })

  it('signs what Python accepts, and finds the same value', () => {
    expect(acceptedByPython(PAIRS)).toEqual(PAIRS.map(({ value }) => value))
  })

  it('agrees with Python on any value and any secret', () => {
    const agree = fc.property(anyPairs, (pairs) => {
      expect(acceptedFromPython(pairs)).toEqual(pairs.map(({ value }) => value))
      expect(acceptedByPython(pairs)).toEqual(pairs.map(({ value }) => value))
    })
    fc.assert(agree, { numRuns: 5 })
  })

  it('signs byte for byte as Python does', () => {
    const signed = python(PAIRS.map(({ secret, value }) => ({ secret, sign: value }))) as string[]
    const ours = PAIRS.map(({ secret, value }, index) => {
      const signer = createSigner(secret)
      return signer.sign(value, signer.verify(signed[index] ?? '', now())?.timestamp ?? 0)
    })
    expect(ours).toEqual(signed)
  })

  it('refuses a text changed in any one character, as Python does', () => {
    const good = createSigner('secret').sign('/connect', now())
    // Of the last character two bits belong to no byte; both sides pass over them.
    const bad = [...good.slice(0, -1)].map((character, at) => {
      return good.slice(0, at) + (character === 'A' ? 'B' : 'A') + good.slice(at + 1)
    })
    expect(bad.map((text) => createSigner('secret').verify(text, now()))).toEqual(
      bad.map(() => undefined),
    )
    expect(unsigned(bad)).toEqual(bad.map(() => null))
  })

  it('refuses signatures of another secret and of other texts, as Python does', () => {
    const good = createSigner('secret').sign('/connect', now())
    const bad = [
      createSigner('Secret').sign('/connect', now()),
      good.slice(0, -1),
      good.slice(1),
      `x${good}`,
      `${good}.`,
      good.replace('/connect', '/info'),
      good.replace('.', '..'),
      '',
      'garbage',
      'a.b.c',
      '....',
    ]
    expect(bad.map((text) => createSigner('secret').verify(text, now()))).toEqual(
      bad.map(() => undefined),
    )
    expect(unsigned(bad)).toEqual(bad.map(() => null))
  })

  it('refuses a signature that is too old, as Python does, unless time is left unchecked', () => {
    const old = createSigner('secret').sign('/connect', now() - 61)
    expect(createSigner('secret').verify(old, now())).toBeUndefined()
    expect(createSigner('secret', { maxAgeSeconds: Infinity }).verify(old, now())?.value).toBe(
      '/connect',
    )
    expect(unsigned([old])).toEqual([null])
    expect(python([{ secret: 'secret', unsign: old, age: null }])).toEqual(['/connect'])
  })

  it("accepts signatures in standard base64 with padding, as Python's decoder does", () => {
    const padded = VALUES.map((value) => {
      const [signature = '', ...rest] = createSigner('secret')
        .sign(value, now())
        .split('.')
        .toReversed()
      return [...rest.toReversed(), `${signature.replaceAll('-', '+').replaceAll('_', '/')}=`].join(
        '.',
      )
    })
    expect(padded.map((text) => createSigner('secret').verify(text, now())?.value)).toEqual(VALUES)
    expect(unsigned(padded)).toEqual(VALUES)
  })
})

function acceptedFromPython(pairs: readonly { secret: string; value: string }[]): unknown[] {
  const signed = python(pairs.map(({ secret, value }) => ({ secret, sign: value }))) as string[]
  return pairs.map(
    ({ secret }, index) => createSigner(secret).verify(signed[index] ?? '', now())?.value,
  )
}

function acceptedByPython(pairs: readonly { secret: string; value: string }[]): unknown[] {
  return python(
    pairs.map(({ secret, value }) => ({ secret, unsign: createSigner(secret).sign(value, now()) })),
  )
}

function unsigned(texts: readonly string[]): unknown[] {
  return python(texts.map((unsign) => ({ secret: 'secret', unsign })))
}

function python(jobs: readonly Job[]): unknown[] {
  const { status, stdout, stderr } = spawnSync(DEBIAN_PYTHON, [SCRIPT], {
    input: JSON.stringify(jobs),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${DEBIAN_PYTHON} ${SCRIPT} failed: ${stderr}`)
  return JSON.parse(stdout) as unknown[]
}

function now(): number {
  return Date.now() / 1000
}

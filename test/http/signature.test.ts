import { createHash, createHmac } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadSignatureChecker, rememberVerified } from '../../src/http/signature-checker.ts'
import { coversPath, createSigner, type SignatureChecker } from '../../src/http/signature.ts'

const SIGNED_AT = 1_600_000_000
const VECTORS = [
  ['channelstream', 'secret', 'channelstream.X14QAA.QLT3kgcJYg14C3PAy4wtyg5uGgI'],
  ['/connect.a', 'Ünï-sécret', '/connect.a.X14QAA.WyavwI8TWUqC6RYbeVocPjdQMUo'],
  ['', 'secret', '.X14QAA.3eoSzHEDpqVQaJci5wEH9uvQtYU'],
] as const
const [[, , GOOD]] = VECTORS

const anyText = fc.string({ unit: 'binary', maxLength: 200 })
const anySecret = fc.string({ unit: 'binary', minLength: 1 })
const anyTime = fc.nat({ max: 2 ** 31 })

describe('createSigner', () => {
  const signer = createSigner('secret')

  it.each(VECTORS)('signs %j with %j as itsdangerous does', (value, secret, signed) => {
    expect(createSigner(secret).sign(value, SIGNED_AT)).toBe(signed)
    expect(createSigner(secret).verify(signed, SIGNED_AT)).toEqual({
      value,
      timestamp: SIGNED_AT,
      expiresAt: SIGNED_AT + 60,
    })
  })

  it('verifies whatever it signed, at any time', () => {
    fc.assert(
      fc.property(anyText, anySecret, anyTime, (value, secret, time) => {
        const own = createSigner(secret)
        expect(own.verify(own.sign(value, time), time)).toEqual({
          value,
          timestamp: time,
          expiresAt: time + 60,
        })
      }),
    )
  })

  it('signs with the first of several secrets, and verifies with each', () => {
    const rotating = createSigner(['new', 'secret', 'old'])
    expect(rotating.sign('x', SIGNED_AT)).toBe(createSigner('new').sign('x', SIGNED_AT))
    for (const secret of ['new', 'secret', 'old']) {
      const signed = createSigner(secret).sign('x', SIGNED_AT)
      expect(rotating.verify(signed, SIGNED_AT)?.value, secret).toBe('x')
      expect(rotating.verify(signed, SIGNED_AT + 61), secret).toBeUndefined()
      expect(rotating.verify(`${signed.slice(0, -2)}AA`, SIGNED_AT), secret).toBeUndefined()
    }
    for (const secret of ['other', 'newsecret', 'new,secret,old', 'new\nsecret'])
      expect(rotating.verify(createSigner(secret).sign('x', SIGNED_AT), SIGNED_AT)).toBeUndefined()
  })

  it('needs a secret, and none that is empty', () => {
    expect(() => createSigner([])).toThrow(RangeError)
    expect(() => createSigner(['secret', ''])).toThrow(RangeError)
  })

  it('drops fractions of seconds', () => {
    expect(signer.sign('channelstream', SIGNED_AT + 0.9)).toBe(GOOD)
    expect(signer.verify(GOOD, SIGNED_AT + 60.9)).toBeDefined()
  })

  it.each([
    [59, true],
    [60, true],
    [61, false],
    [120, false],
    [300, false],
    [-30, true],
    [-31, false],
    [-300, false],
  ])('at an age of %i seconds: good is %s', (ageSeconds, isGood) => {
    expect(signer.verify(GOOD, SIGNED_AT + ageSeconds) !== undefined).toBe(isGood)
  })

  it('takes age and tolerance from its options', () => {
    const strict = createSigner('secret', { maxAgeSeconds: 5, maxSkewSeconds: 0 })
    expect(strict.verify(GOOD, SIGNED_AT + 5)?.expiresAt).toBe(SIGNED_AT + 5)
    expect(strict.verify(GOOD, SIGNED_AT + 6)).toBeUndefined()
    expect(strict.verify(GOOD, SIGNED_AT - 1)).toBeUndefined()
  })

  it('refuses everything at a time that is no number', () => {
    expect(signer.verify(GOOD, Number.NaN)).toBeUndefined()
  })

  it('looks at no time with an infinite age, but still at the secret', () => {
    const timeless = createSigner('secret', { maxAgeSeconds: Infinity })
    const countedFrom2011 = signer.sign('x', SIGNED_AT - 1_293_840_000)
    expect(timeless.verify(countedFrom2011, SIGNED_AT)?.value).toBe('x')
    expect(timeless.verify(GOOD, 0)?.expiresAt).toBe(Infinity)
    expect(timeless.verify(createSigner('wrong').sign('x', SIGNED_AT), SIGNED_AT)).toBeUndefined()
  })

  it('accepts values with dots, split from the right', () => {
    expect(signer.verify(signer.sign('a.b..c.', SIGNED_AT), SIGNED_AT)?.value).toBe('a.b..c.')
  })

  it('accepts padding, as the Python decoder does', () => {
    expect(signer.verify(`${GOOD}=`, SIGNED_AT)).toBeDefined()
  })

  it.each([
    ['', 'nothing'],
    ['garbage', 'no dots'],
    ['a.b', 'one dot'],
    ['a.b.c', 'a short signature'],
    ['....', 'dots only'],
    ['.', 'one dot only'],
    ['channelstream', 'a value only'],
    [GOOD.slice(0, -1), 'a signature too short'],
    [`${GOOD}A`, 'a signature too long'],
    [` ${GOOD}`, 'a space before'],
    [`${GOOD} `, 'a space after'],
    [`${GOOD}\n`, 'a line end'],
    [`${GOOD}\0`, 'a NUL'],
    [GOOD.replace('.X', '.Y'), 'another timestamp'],
    [GOOD.replace('channelstream', 'Channelstream'), 'another value'],
    ['channelstream.X14QAA.ÜLT3kgcJYg14C3PAy4wtyg5uGgI', 'a letter beyond ASCII'],
    ['channelstream.X14QAA.\u0100LT3kgcJYg14C3PAy4wtyg5uGgI', 'a letter whose low byte is NUL'],
  ])('refuses %j: %s', (text) => {
    expect(signer.verify(text, SIGNED_AT)).toBeUndefined()
  })

  it.each(['__________', '________________'])(
    'refuses the well signed timestamp %s, past every calendar',
    (timestamp) => {
      const timeless = createSigner('secret', { maxAgeSeconds: Infinity })
      expect(timeless.verify(signedAsIs('x.X14QAA'), SIGNED_AT)).toBeDefined()
      expect(timeless.verify(signedAsIs(`x.${timestamp}`), SIGNED_AT)).toBeUndefined()
    },
  )

  it('reads padded timestamps and those with leading zeros, as Python does', () => {
    for (const timestamp of ['X14QAA==', 'AAAAAF9eEAA=', 'AAAAAF9eEAA']) {
      expect(signer.verify(signedAsIs(`x.${timestamp}`), SIGNED_AT)?.timestamp).toBe(SIGNED_AT)
    }
  })

  it('refuses a well signed timestamp that is none', () => {
    for (const timestamp of ['X14QAA===', 'X14Q AA', 'X14QÄ', 'A'.repeat(100)]) {
      expect(signer.verify(signedAsIs(`x.${timestamp}`), SIGNED_AT)).toBeUndefined()
    }
  })

  it('refuses any text that it did not sign, and never throws', () => {
    const dotted = fc.array(anyText, { maxLength: 5 }).map((parts) => parts.join('.'))
    fc.assert(
      fc.property(fc.oneof(anyText, dotted, fc.base64String()), (text) => {
        expect(signer.verify(text, SIGNED_AT)).toBeUndefined()
      }),
    )
  })

  it('refuses megabytes without reading them', () => {
    const texts = ['x', '.', 'x.', '\0', 'Ü'].map((unit) => unit.repeat(1_000_000))
    texts.push(signer.sign('x'.repeat(1_000_000), SIGNED_AT))
    const startedAt = performance.now()
    for (const text of texts) expect(signer.verify(text, SIGNED_AT)).toBeUndefined()
    expect(performance.now() - startedAt).toBeLessThan(100)
  })

  it.each([-1, Number.NaN, Infinity, 2 ** 48])('does not sign at %d', (time) => {
    expect(() => signer.sign('x', time)).toThrow(RangeError)
  })

  it('does not sign or verify with an empty secret', () => {
    expect(() => createSigner('')).toThrow(RangeError)
  })
})

describe('coversPath', () => {
  it('asks for exactly the path that was signed', () => {
    const verified = { value: '/info', timestamp: 0, expiresAt: 60 }
    expect(coversPath(verified, '/info')).toBe(true)
    expect(coversPath(verified, '/disconnect')).toBe(false)
    expect(coversPath(verified, '/info/')).toBe(false)
    expect(coversPath({ ...verified, value: 'channelstream' }, '/info')).toBe(false)
  })
})

describe('rememberVerified', () => {
  const signer = createSigner('secret')

  it('asks once for a text that is good', () => {
    const { checker, asked } = counting(signer)
    const remembering = rememberVerified(checker, 10)
    for (let age = 0; age <= 60; age++)
      expect(remembering.verify(GOOD, SIGNED_AT + age)).toBeDefined()
    expect(asked).toEqual([GOOD])
  })

  it('does not make a signature good for longer', () => {
    const remembering = rememberVerified(signer, 10)
    remembering.verify(GOOD, SIGNED_AT)
    expect(remembering.verify(GOOD, SIGNED_AT + 60.9)).toBeDefined()
    expect(remembering.verify(GOOD, SIGNED_AT + 61)).toBeUndefined()
  })

  it('does not remember texts that are not good', () => {
    const { checker, asked } = counting(signer)
    const remembering = rememberVerified(checker, 1)
    remembering.verify(GOOD, SIGNED_AT)
    for (let n = 0; n < 100; n++) remembering.verify(`garbage ${n}`, SIGNED_AT)
    remembering.verify('garbage 0', SIGNED_AT)
    remembering.verify(GOOD, SIGNED_AT)
    expect(asked.filter((text) => text === GOOD)).toHaveLength(1)
    expect(asked.filter((text) => text === 'garbage 0')).toHaveLength(2)
  })

  it('drops the oldest text beyond its size', () => {
    const { checker, asked } = counting(signer)
    const remembering = rememberVerified(checker, 2)
    const texts = ['a', 'b', 'c'].map((value) => signer.sign(value, SIGNED_AT))
    for (const text of texts) remembering.verify(text, SIGNED_AT)
    for (const text of texts.toReversed()) remembering.verify(text, SIGNED_AT)
    expect(asked).toEqual([...texts, texts[0]])
  })

  it('remembers nothing with a size of 0', () => {
    const { checker, asked } = counting(signer)
    const remembering = rememberVerified(checker, 0)
    remembering.verify(GOOD, SIGNED_AT)
    remembering.verify(GOOD, SIGNED_AT)
    expect(asked).toHaveLength(2)
  })
})

describe('loadSignatureChecker', () => {
  const options = { secret: 'secret', secretFallbacks: ['former'], maxAgeSeconds: 60 }
  const CHECKER = `export async function createSignatureChecker(options) {
    return { verify: (signed) => ({ value: signed + options.secret, timestamp: 0, expiresAt: options.maxAgeSeconds }) }
  }`

  it('takes a module by its path, from the base directory', async () => {
    const directory = await aDirectory({ 'own/checker.mjs': CHECKER })
    for (const path of ['./own/checker.mjs', join(directory, 'own/checker.mjs')]) {
      const checker = await loadSignatureChecker(path, options, directory)
      expect(checker.verify('x', 0)).toEqual({ value: 'xsecret', timestamp: 0, expiresAt: 60 })
    }
  })

  it('passes on the other secrets that signatures may be made with', async () => {
    const directory = await aDirectory({
      'checker.mjs': `export const createSignatureChecker = ({ secret, secretFallbacks }) => ({
        verify: (value) => ({ value: [secret, ...secretFallbacks].join(), timestamp: 0, expiresAt: 0 }),
      })`,
    })
    const checker = await loadSignatureChecker('./checker.mjs', options, directory)
    expect(checker.verify('x', 0)?.value).toBe('secret,former')
  })

  it('takes a package by its name, from the base directory', async () => {
    const directory = await aDirectory({
      'node_modules/@acme/checker/package.json': '{"type": "module", "exports": "./index.js"}',
      'node_modules/@acme/checker/index.js': CHECKER,
    })
    const checker = await loadSignatureChecker('@acme/checker', options, directory)
    expect(checker.verify('x', 0)?.value).toBe('xsecret')
  })

  it.each([
    ['./missing.mjs', 'could not be loaded'],
    ['@acme/missing', 'could not be loaded'],
    ['./broken.mjs', 'could not be loaded: boom'],
    ['./empty.mjs', 'no such export'],
    ['./number.mjs', 'no such export'],
    ['./throws.mjs', 'createSignatureChecker failed: no database'],
    ['./nothing.mjs', 'returned something else'],
  ])('says of %s which module it is and what was expected', async (specifier, why) => {
    const directory = await aDirectory({
      'broken.mjs': "throw new Error('boom')",
      'empty.mjs': 'export const other = 1',
      'number.mjs': 'export const createSignatureChecker = 1',
      'throws.mjs': "export function createSignatureChecker() { throw new Error('no database') }",
      'nothing.mjs': 'export function createSignatureChecker() { return null }',
    })
    const failure = await loadSignatureChecker(specifier, options, directory).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(Error)
    const { message } = failure as Error
    expect(message).toContain(`'${specifier}'`)
    expect(message).toContain(why)
    expect(message).toContain('createSignatureChecker({ secret, maxAgeSeconds })')
  })
})

/** Signs timestamps that `sign` would not accept. */
function signedAsIs(signedPart: string): string {
  const key = createHash('sha1').update('itsdangerous.Signersignersecret').digest()
  return `${signedPart}.${createHmac('sha1', key).update(signedPart).digest('base64url')}`
}

function counting(signer: SignatureChecker): { checker: SignatureChecker; asked: string[] } {
  const asked: string[] = []
  const verify: SignatureChecker['verify'] = (signed, nowSeconds) => {
    asked.push(signed)
    return signer.verify(signed, nowSeconds)
  }
  return { checker: { verify }, asked }
}

async function aDirectory(files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'channelstream-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
  return directory
}

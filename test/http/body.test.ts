import { describe, expect, it } from 'vitest'
import { LONG_BYTES, parseJson, parseLongJson } from '../../src/http/body.ts'
import { RequestError } from '../../src/protocol/errors.ts'

/** Returns the parsed value or the error. */
function outcome(read: () => unknown): unknown {
  try {
    return { value: read() }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return { code: error.code, complaints: error.complaints }
  }
}

/** Runs all steps. */
function readLong(body: Buffer): unknown {
  const reading = parseLongJson(body)
  for (let steps = 0; ; steps++) {
    const { done, value } = reading.next()
    if (!done) continue
    expect(steps).toBeGreaterThan(body.length / LONG_BYTES)
    return value
  }
}

const keys = Array.from({ length: 20_000 }, (_, n) => `"key ${n}":${n}`).join()

describe('a byte order mark', () => {
  it('is ignored at the beginning of a body, short or long', () => {
    expect(parseJson(Buffer.from('\uFEFF{"a":1}'))).toEqual({ a: 1 })
    expect(parseJson(Buffer.from('\uFEFF'))).toBeUndefined()
    expect(readLong(Buffer.from(`\uFEFF{${keys}}`))).toEqual(JSON.parse(`{${keys}}`))
  })

  it.each(['\uFEFF\uFEFF{}', '{}\uFEFF', '{\uFEFF}', '\uFFFE{}'])(
    'is no JSON elsewhere (%j)',
    (text) => {
      const body = Buffer.from(text)
      expect(outcome(() => parseJson(body))).toMatchObject({ code: 'NOT_JSON' })
    },
  )

  it('is not one if it is cut off', () => {
    const body = Buffer.from([0xef, 0xbb])
    expect(outcome(() => parseJson(body))).toMatchObject({ code: 'NOT_JSON' })
  })

  it('belongs to a text in quotes', () => {
    expect(parseJson(Buffer.from('"\uFEFF"'))).toBe('\uFEFF')
  })
})

describe('a long body is read as a short one', () => {
  it.each([
    ['an object', `{${keys}}`],
    ['a list', `[${'{"a":[1,"x"]},'.repeat(20_000)}null]`],
    ['a prototype key', `{"a":[{${keys},"\\u005f_proto__":1}]}`],
    [
      'brackets that are too deep',
      `[${keys.replaceAll(/\d/g, '1')}${'['.repeat(101)}${']'.repeat(101)}]`,
    ],
  ])('%s', (_what, text) => {
    const body = Buffer.from(text)
    expect(outcome(() => readLong(body))).toEqual(outcome(() => parseJson(body)))
  })

  it.each([
    ['what is no JSON', Buffer.from(`{${keys},}`)],
    [
      'what is not UTF-8',
      Buffer.concat([Buffer.from(`{${keys},"a":"`), Buffer.from([0xff, 0x22, 0x7d])]),
    ],
  ])('and refused like it: %s', (_what, body) => {
    for (const read of [() => parseJson(body), () => [...parseLongJson(body)]])
      expect(outcome(read)).toMatchObject({
        code: 'NOT_JSON',
        complaints: { body: [expect.stringMatching(/^Not valid JSON\. \S/)] },
      })
  })
})

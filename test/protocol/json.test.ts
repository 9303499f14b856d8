import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_CONTAINERS, prototypeKeyIn, surveyOf } from '../../src/protocol/json.ts'

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A key in JSON, with some characters as escapes in lower or upper case. */
const spelled = (name: string) =>
  fc.array(fc.nat(2), { minLength: name.length, maxLength: name.length }).map((ways) =>
    [...name]
      .map((character, place) => {
        if (!/[_a-z]/.test(character) || ways[place] === 0)
          return JSON.stringify(character).slice(1, -1)
        return ways[place] === 1 ? escaped(character) : escaped(character).replace('f', 'F')
      })
      .join(''),
  )

const key = fc
  .constantFrom('__proto__', 'a', '_', '__PROTO__', '__proto__ ', 'x"__proto__', '\\', '"', '7')
  .chain(spelled)
const value = fc.constantFrom(
  '1',
  '"__proto__"',
  '"\\"__proto__\\":"',
  '"{\\"a\\":["',
  '"\\\\"',
  'null',
)
const space = fc.constantFrom('', '', ' ', '\n')

/**
 * Keys must be unique: of duplicate keys, `JSON.parse` keeps only one, so the value of the other cannot be compared.
 */
const nameOf = ([name]: readonly [string, ...unknown[]]): unknown => JSON.parse(`"${name}"`)

const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    value,
    fc
      .array(
        fc.tuple(space, tie('json'), space).map((parts) => parts.join('')),
        { maxLength: 3 },
      )
      .map((elements) => `[${elements.join()}]`),
    fc
      .uniqueArray(fc.tuple(key, space, tie('json')), { maxLength: 3, selector: nameOf })
      .map(
        (members) =>
          `{${members.map(([name, gap, inner]) => `"${name}"${gap}:${gap}${inner}`).join()}}`,
      ),
  ),
}))

/** Yields every path to a prototype key in a value, as JSON. */
function* pathsIn(value: unknown, path: readonly string[] = []): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    const here = [...path, name]
    if (name === '__proto__') yield JSON.stringify(here)
    yield* pathsIn(inner, here)
  }
}

describe('a prototype key', () => {
  it('is found wherever it is, however it is spelled, and nowhere else', () => {
    fc.assert(
      fc.property(json, (text) => {
        const paths = [...pathsIn(JSON.parse(text))]
        const found = prototypeKeyIn(text)
        if (found === undefined) expect(paths).toEqual([])
        else expect(paths).toContain(JSON.stringify(found))
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['{"__proto__":1}', ['__proto__']],
    ['{"\\u005f\\u005Fproto__" :1}', ['__proto__']],
    ['[0,[1,{"a":2}],{"b":{"c":[3,{"d":4,"__proto__":{}}]}}]', ['2', 'b', 'c', '1', '__proto__']],
    ['{"a,b":{"x:y":[{"__proto__":1}]}}', ['a,b', 'x:y', '0', '__proto__']],
    ['{"\\u0061\\"{":[{},[],{"__proto__":1}]}', ['a"{', '2', '__proto__']],
  ])('is told with the path to it: %s', (text, path) => {
    expect(prototypeKeyIn(text)).toEqual(path)
  })

  it.each([
    '{"a":"__proto__"}',
    '["__proto__"]',
    '{"__PROTO__":1}',
    '{"__proto__ ":1}',
    '{" __proto__":1}',
    '{"a":"\\"__proto__\\":1"}',
    '{"a\\"__proto__":1}',
    '{"\\\\u005f_proto__":1}',
  ])('is none here: %s', (text) => {
    expect(prototypeKeyIn(text)).toBeUndefined()
  })
})

describe('JSON that is too deep', () => {
  const nested = (depth: number) => '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2)

  it('is nested more than a hundred levels', () => {
    expect([surveyOf(nested(100)), surveyOf(nested(102))]).toEqual(['plain', 'too-deep'])
    expect(surveyOf('['.repeat(500_000))).toBe('too-deep')
  })

  it('or has too many lists and objects', () => {
    const lists = (count: number) => `[${'[],'.repeat(count - 1)}1]`
    expect(surveyOf(lists(MAX_CONTAINERS))).toBe('plain')
    expect(surveyOf(lists(MAX_CONTAINERS + 1))).toBe('too-many')
    expect(surveyOf(`["${'['.repeat(MAX_CONTAINERS + 1)}"]`)).toBe('plain')
  })

  it('is not told from brackets in texts', () => {
    expect(surveyOf(`["${'['.repeat(1000)}\\"${'{'.repeat(1000)}"]`)).toBe('plain')
  })
})

describe('JSON with numbers that do not fit a double', () => {
  it('is told from JSON without', () => {
    for (const number of [
      '12345678901234567',
      '1e400',
      '-1E-400',
      '-0',
      '-0.0',
      '0.1234567890123456789',
    ])
      for (const text of [number, ` ${number} `, `[1,${number}]`, `{"a": ${number},"b":1}`])
        expect([text, surveyOf(text)]).toEqual([text, 'numbers'])
    for (const number of [
      '1',
      '-12',
      '1.50',
      '1e5',
      '0.1',
      '-0.5',
      '1700000000.123456',
      '1e-07',
      '0e999',
    ])
      for (const text of [number, ` ${number} `, `[1,${number}]`, `{"a": ${number},"b":1}`])
        expect([text, surveyOf(text)]).toEqual([text, 'plain'])
  })

  it('is not told from digits in texts', () => {
    expect(surveyOf('{"12345678901234567":"1e400","\\"":": -0, 12345678901234567"}')).toBe('plain')
  })

  it('may be any text with more numbers than are looked at closely', () => {
    expect(surveyOf(`[${'1e5,'.repeat(999)}1]`)).toBe('plain')
    expect(surveyOf(`[${'1e5,'.repeat(1000)}1]`)).toBe('numbers')
  })
})

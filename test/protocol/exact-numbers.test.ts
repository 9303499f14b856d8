import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MAX_EXACT_NUMBERS,
  TooManyExactNumbers,
  asDouble,
  isExactNumber,
  isSameScalar,
  parserFor,
  readJson,
  writeJson,
} from '../../src/protocol/exact-numbers.ts'
import { parseInPieces } from '../../src/protocol/json-pieces.ts'
import { surveyOf } from '../../src/protocol/json.ts'

/** What is posted as these arrives as these. */
const AS_POSTED = [
  '1234567890123456789',
  '-1234567890123456789',
  '9007199254740993',
  '100000000000000000000000',
  '1e400',
  '-1E+400',
  '1e-400',
  '123456789.123456789123456789',
  '0.1000000000000000055511151231257827',
  '1.0000000000000000000000000000000000001',
  '-0',
  '-0.0',
  '-0e5',
  '0.1',
  '12345678901234567000',
  '1700000000.123456',
]

/** A number that is written another way, but is the same number. */
const REWRITTEN = [
  ['1.0', '1'],
  ['1.50', '1.5'],
  ['0.000', '0'],
  ['1E5', '100000'],
  ['1e-05', '0.00001'],
  ['1e-07', '1e-7'],
  ['1e22', '1e+22'],
  ['0e999999999999999999999', '0'],
  ['1700000000.500000000000', '1700000000.5'],
  ['0.000000000000000000000001', '1e-24'],
  ['100000000000000000000000.0', '1e+23'],
] as const

const digits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max })
const whole = fc.oneof(
  fc.constantFrom('0', '1', '9007199254740993', '1234567890123456789'),
  digits(1, 30).map((text) => text.replace(/^0+(?=.)/, '')),
)
/** Any number that JSON can write. */
const number = fc.oneof(
  fc.constantFrom(...AS_POSTED, ...REWRITTEN.map(([posted]) => posted)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((double) => JSON.stringify(double)),
  fc
    .tuple(
      fc.constantFrom('', '-'),
      whole,
      fc.option(digits(1, 25), { nil: '' }),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), digits(1, 4)), { nil: [] }),
    )
    .map(([sign, text, fraction, exponent]) => {
      return sign + text + (fraction && `.${fraction}`) + exponent.join('')
    }),
)

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('', '\\', '"', ',1e400,', ': -0', '[1234567890123456789]', '\\"1e400'),
)
const space = fc.constantFrom('', '', ' ', '\n', '\t \r')

/** JSON as a list of its parts, of which numbers are marked: spelled in any way, with numbers in any place. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    number,
    text.map((each) => JSON.stringify(each)),
    fc.constantFrom('true', 'false', 'null'),
    fc
      .array(fc.tuple(space, tie('json'), space).map((parts) => parts.join('')))
      .map((elements) => `[${elements.join()}]`),
    fc
      .uniqueArray(fc.tuple(text, space, space, tie('json'), space), { selector: ([key]) => key })
      .map(
        (members) =>
          `{${members.map(([key, one, two, value, three]) => `${one}${JSON.stringify(`k${key}`)}${two}:${value}${three}`).join()}}`,
      ),
  ),
}))

function readInPieces(source: string, piece: number): unknown {
  const reading = parseInPieces(source, parserFor(surveyOf(source)), piece)
  let step = reading.next()
  while (!step.done) step = reading.next()
  return step.value
}

/** Numbers as Python's `decimal` compares them: the same text for the same number. */
function exactly(posted: string): string {
  const [, sign = '', int = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE](.+))?$/.exec(posted) ?? []
  const all = BigInt(int + fraction)
  if (all === 0n) return `${sign}0`
  const trimmed = String(all).replace(/0+$/, '')
  return `${sign}${trimmed}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(String(all).length - trimmed.length)}`
}

/** JSON without spaces, and each number as `spell` has it. Strings as they are. */
const normal = (source: string, spell: (number: string) => string) =>
  source.replace(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+|-?\d[-+.\deE]*/g, (token) =>
    token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token.trim() && spell(token),
  )

describe('numbers of JSON', () => {
  it.each(AS_POSTED)('%s is written as it was read', (posted) => {
    expect(writeJson(readJson(posted))).toBe(posted)
    const json = `{"a":[1,${posted},"${posted}"],"b":{"c":${posted}}}`
    expect(writeJson(readJson(json))).toBe(json)
  })

  it.each(REWRITTEN)('%s is a number like any other', (posted, written) => {
    expect(writeJson(readJson(posted))).toBe(written)
    expect(readJson(posted)).toBe(Number(posted))
  })

  it('are the same numbers wherever they are, whatever is around them', () => {
    fc.assert(
      fc.property(json, (source) => {
        expect(normal(writeJson(readJson(source)), exactly)).toBe(normal(source, exactly))
      }),
      { numRuns: 1_000 },
    )
  })

  it('are no others when they are written and read again', () => {
    fc.assert(
      fc.property(json, (source) => {
        const once = writeJson(readJson(source))
        expect(writeJson(readJson(once))).toBe(once)
      }),
    )
  })

  it('are the same in texts that are read in pieces', () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 40 }), (source, piece) => {
        expect(writeJson(readInPieces(source, piece))).toBe(writeJson(readJson(source)))
      }),
      { numRuns: 1_000 },
    )
  })

  it('stay integers where they were posted as integers', () => {
    fc.assert(
      fc.property(whole, (posted) => {
        expect(writeJson(readJson(posted))).toBe(posted)
      }),
    )
  })
})

describe('what is no JSON', () => {
  const errorOf = (parse: (text: string) => unknown, source: string): string => {
    try {
      parse(source)
    } catch (error) {
      return String(error)
    }
    throw new Error(`${source} was read`)
  }

  it.each([
    '{1e400:1}',
    '{1e400            \n   :1}',
    '{"a":1,-0:1}',
    '[1e400 1e400]',
    '[01e400]',
    '[1e400',
    '1e400e5',
    '1.e400',
    '.1234567890123456789',
    '[-]',
    '[+1e400]',
    '[1e400x]',
    '1e400"a"',
    '["a"1e400]',
    'NaN',
    '[-Infinity,1e400]',
    '[12345678901234567.]',
  ])('is refused, and %s with the words of JSON.parse', (source) => {
    expect(errorOf(readJson, source)).toBe(errorOf(JSON.parse, source))
  })
})

describe('an exact number', () => {
  const exact = (posted: string): unknown => readJson(posted)

  it('is no other type of JSON', () => {
    const value = exact('1e400')
    expect(isExactNumber(value)).toBe(true)
    expect(Array.isArray(value)).toBe(false)
    expect(['object', 'number', 'string', 'boolean']).not.toContain(typeof value)
  })

  it('is the same as another one with the same text', () => {
    expect(isSameScalar(exact('1e400'), exact('1e400'))).toBe(true)
    expect(isSameScalar(exact('1e400'), exact('1e401'))).toBe(false)
    expect(isSameScalar(exact('1e400'), 'x')).toBe(false)
    expect(isSameScalar(1, 1)).toBe(true)
  })

  it('is a double where that is asked for', () => {
    expect(asDouble(exact('1234567890123456789'))).toBe(1234567890123456800)
    expect(asDouble('1')).toBe('1')
  })

  it('is written by nothing that would change it', () => {
    expect(() => JSON.stringify({ a: exact('1e400') })).toThrow('writeJson')
    // And what was written before is over.
    writeJson([exact('1e400')])
    expect(() => JSON.stringify({ a: exact('1e400') })).toThrow('writeJson')
  })

  it('does not stay marked when writing fails', () => {
    const circle: unknown[] = [exact('1e400')]
    circle.push(circle)
    expect(() => writeJson(circle)).toThrow('circular')
    expect(() => JSON.stringify(exact('1e400'))).toThrow('writeJson')
  })
})

describe('too many exact numbers', () => {
  const many = (count: number) => `[${Array<string>(count).fill('1e400').join()}]`
  const parse = (source: string) => parserFor(surveyOf(source))(source)

  it('are refused, with the place of the first that is too many', () => {
    expect(writeJson(parse(many(MAX_EXACT_NUMBERS)))).toBe(many(MAX_EXACT_NUMBERS))
    let thrown: unknown
    try {
      parse(many(MAX_EXACT_NUMBERS + 1))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(TooManyExactNumbers)
    expect((thrown as TooManyExactNumbers).at).toBe(1 + MAX_EXACT_NUMBERS * '1e400,'.length)
  })

  it('are counted over all pieces', () => {
    const source = many(MAX_EXACT_NUMBERS + 1)
    let thrown: unknown
    try {
      readInPieces(source, 1000)
    } catch (error) {
      thrown = error
    }
    expect((thrown as TooManyExactNumbers).at).toBe(1 + MAX_EXACT_NUMBERS * '1e400,'.length)
  })

  it('are not too many for what was let in before', () => {
    expect(writeJson(readJson(many(MAX_EXACT_NUMBERS + 1)))).toBe(many(MAX_EXACT_NUMBERS + 1))
  })
})

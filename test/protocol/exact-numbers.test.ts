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
  readQuickly,
  writeForQuickReading,
  writeJson,
} from '../../src/protocol/exact-numbers.ts'
import { parseInPieces } from '../../src/protocol/json-pieces.ts'
import { surveyOf } from '../../src/protocol/json.ts'
import { AS_POSTED, REWRITTEN, exactly, json, normal, whole } from '../helpers/numbers.ts'

function readInPieces(source: string, piece: number): unknown {
  const reading = parseInPieces(source, parserFor(surveyOf(source)), piece)
  let step = reading.next()
  while (!step.done) step = reading.next()
  return step.value
}

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

describe('JSON for quick reading', () => {
  it('is read as it was written, and by others as well', () => {
    fc.assert(
      fc.property(json, (source) => {
        const written = writeForQuickReading(readJson(source))
        expect(writeJson(readQuickly(written))).toBe(writeJson(readJson(source)))
        expect(written.trim()).toBe(writeJson(readJson(source)))
      }),
    )
  })

  it('says in front whether there are exact numbers', () => {
    expect(writeForQuickReading(readJson('[1e400]'))).toBe(' [1e400]')
    expect(writeForQuickReading(readJson('[" 1e400", 1e5]'))).toBe('[" 1e400",100000]')
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
    // Also after an earlier call of `writeJson`.
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

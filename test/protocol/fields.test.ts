import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  COMPLAINT,
  MAX_COMPLAINTS,
  canonicalDatetime,
  canonicalUuid,
  datetime,
  listOf,
  looseBoolean,
  looseInteger,
  mapOf,
  payload,
  isScalar,
  scalar,
  scalarMap,
  text,
  uuid,
} from '../../src/protocol/fields.ts'
import type { z } from 'zod'

/** Returns the texts of the faults in `value`. */
const wrong = (schema: z.ZodType, value: unknown): string[] =>
  schema.safeParse(value).error?.issues.map(({ message }) => message) ?? []

const SMILE = '\u{1F600}'

describe('a text', () => {
  const short = text(2, 4)

  it('has a length in code points, as Python counts', () => {
    for (const value of ['ab', 'abcd', SMILE.repeat(2), SMILE.repeat(4), `a${SMILE}b${SMILE}`])
      expect(wrong(short, value)).toEqual([])
    for (const value of ['', 'a', 'abcde', SMILE.repeat(5), `abcd${SMILE}`])
      expect(wrong(short, value)).toEqual(['Length must be between 2 and 4.'])
  })

  it('is too short also if only its code units are enough', () => {
    expect(wrong(short, SMILE)).toEqual(['Length must be between 2 and 4.'])
  })

  it('is not searched to its end if it is far too long', () => {
    expect(wrong(short, SMILE.repeat(1_000_000))).toEqual(['Length must be between 2 and 4.'])
  })

  it.each([
    [undefined, COMPLAINT.missing],
    [null, COMPLAINT.null],
    [12, COMPLAINT.string],
    [true, COMPLAINT.string],
    [['ab'], COMPLAINT.string],
    [{}, COMPLAINT.string],
  ])('is not %j', (value, complaint) => {
    expect(wrong(short, value)).toEqual([complaint])
  })
})

describe('a boolean', () => {
  const spellings = (...words: string[]) =>
    words.flatMap((word) => [
      word.toLowerCase(),
      word.toUpperCase(),
      word.charAt(0).toUpperCase() + word.slice(1),
    ])

  it.each([true, 1, ...spellings('true', 't', 'yes', 'y', 'on', '1')])('is true as %j', (value) => {
    expect(looseBoolean.parse(value)).toBe(true)
  })

  it.each([false, 0, ...spellings('false', 'f', 'no', 'n', 'off', '0')])(
    'is false as %j',
    (value) => {
      expect(looseBoolean.parse(value)).toBe(false)
    },
  )

  it.each([
    [2, COMPLAINT.boolean],
    [-1, COMPLAINT.boolean],
    [0.5, COMPLAINT.boolean],
    ['', COMPLAINT.boolean],
    ['tRUE', COMPLAINT.boolean],
    [' true', COMPLAINT.boolean],
    ['2', COMPLAINT.boolean],
    ['1.0', COMPLAINT.boolean],
    [[], COMPLAINT.boolean],
    [[true], COMPLAINT.boolean],
    [{}, COMPLAINT.boolean],
    [null, COMPLAINT.null],
    [undefined, COMPLAINT.missing],
  ])('is not %j', (value, complaint) => {
    expect(wrong(looseBoolean, value)).toEqual([complaint])
  })
})

describe('an integer', () => {
  const whole = looseInteger(0)

  it.each([
    [7, 7],
    ['7', 7],
    [' 7 ', 7],
    ['+7', 7],
    ['007', 7],
    [7.9, 7],
    [0, 0],
    ['0', 0],
  ])('is read from %j', (value, read) => {
    expect(whole.parse(value)).toBe(read)
  })

  it('is cut off towards zero', () => {
    expect(looseInteger(-9).parse(-7.9)).toBe(-7)
    expect(looseInteger(-9).parse('-7')).toBe(-7)
    expect(whole.parse(-0.5) === 0).toBe(true)
  })

  it.each([
    ['7.0', COMPLAINT.integer],
    ['seven', COMPLAINT.integer],
    ['', COMPLAINT.integer],
    [' ', COMPLAINT.integer],
    ['1e3', COMPLAINT.integer],
    ['0x10', COMPLAINT.integer],
    [true, COMPLAINT.integer],
    [false, COMPLAINT.integer],
    [[7], COMPLAINT.integer],
    [{}, COMPLAINT.integer],
    [Number.POSITIVE_INFINITY, COMPLAINT.integer],
    [Number.NaN, COMPLAINT.integer],
    [null, COMPLAINT.null],
    [undefined, COMPLAINT.missing],
    [-1, 'Must be greater than or equal to 0.'],
    ['-1', 'Must be greater than or equal to 0.'],
  ])('is not %j', (value, complaint) => {
    expect(wrong(whole, value)).toEqual([complaint])
  })

  it('is no more than a number can hold exactly', () => {
    expect(whole.parse(Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER)
    expect(whole.safeParse(2 ** 53).success).toBe(false)
    expect(whole.safeParse('9'.repeat(400)).success).toBe(false)
  })
})

describe('a scalar', () => {
  it.each(['', 'x', 0, -1.5, true, false, null])('is %j', (value) => {
    expect(scalar.parse(value)).toBe(value)
  })

  it.each([[[]], [{}], [undefined], [[1]]])('is not %j', (value) => {
    expect(wrong(scalar, value)).toEqual([
      'Value is not type of string, integer, boolean or float.',
    ])
  })
})

describe('a payload', () => {
  it('is any JSON object, and stays the very same', () => {
    const given = JSON.parse('{"__proto__": {"a": [1, {"b": null}]}, "c": 1}') as object
    expect(payload.parse(given)).toBe(given)
  })

  it.each([
    ['text', COMPLAINT.mapping],
    [1, COMPLAINT.mapping],
    [[], COMPLAINT.mapping],
    [null, COMPLAINT.null],
    [undefined, COMPLAINT.missing],
  ])('is not %j', (value, complaint) => {
    expect(wrong(payload, value)).toEqual([complaint])
  })
})

describe('lists and maps', () => {
  it('tell where their elements are wrong', () => {
    const list = listOf(text(1, 2)).safeParse(['a', 'abc', 1])
    expect(list.error?.issues.map(({ path, message }) => [path, message])).toEqual([
      [[1], 'Length must be between 1 and 2.'],
      [[2], COMPLAINT.string],
    ])
    const map = mapOf(scalar, isScalar).safeParse({ a: 1, b: [] })
    expect(map.error?.issues.map(({ path }) => path)).toEqual([['b']])
  })

  it.each([
    ['text', COMPLAINT.list, COMPLAINT.mapping],
    [7, COMPLAINT.list, COMPLAINT.mapping],
    [null, COMPLAINT.null, COMPLAINT.null],
    [undefined, COMPLAINT.missing, COMPLAINT.missing],
  ])('are not %j', (value, asList, asMap) => {
    expect(wrong(listOf(text(1, 2)), value)).toEqual([asList])
    expect(wrong(mapOf(scalar, isScalar), value)).toEqual([asMap])
    expect(wrong(scalarMap, value)).toEqual([asMap])
  })

  it.each([
    ['of another type', {}],
    ['too short', ''],
    ['too long', 'x'.repeat(300)],
  ])('are not read beyond the first fault that is not told any more: %s', (_what, element) => {
    const faulty = Array.from({ length: 50_000 }, () => element)
    expect(wrong(listOf(text(1, 256)), ['a', ...faulty])).toHaveLength(MAX_COMPLAINTS + 1)
  })

  it('are not read beyond that as maps, either', () => {
    const faulty = { a: 1, ...Array.from({ length: 50_000 }, () => ({})) }
    expect(wrong(mapOf(scalar, isScalar), faulty)).toHaveLength(MAX_COMPLAINTS + 1)
    expect(wrong(scalarMap, faulty)).toHaveLength(MAX_COMPLAINTS + 1)
  })

  it('are whole where less is wrong, however long they are', () => {
    const long = Array.from({ length: 50_000 }, (_, n) => `${n}`)
    expect(listOf(text(1, 256)).parse(long)).toEqual(long)
    expect(scalarMap.parse({ ...long })).toEqual({ ...long })
    expect(wrong(listOf(text(1, 256)), [...long, ''])).toEqual([
      'Length must be between 1 and 256.',
    ])
    expect(wrong(scalarMap, { ...long, wrong: [] })).toEqual([COMPLAINT.scalar])
  })

  it('are not each other', () => {
    expect(wrong(listOf(text(1, 2)), {})).toEqual([COMPLAINT.list])
    expect(wrong(mapOf(scalar, isScalar), [])).toEqual([COMPLAINT.mapping])
    expect(wrong(scalarMap, [])).toEqual([COMPLAINT.mapping])
  })
})

describe('a UUID', () => {
  const plain = 'c0ffee00-1234-4abc-9def-0123456789ab'

  it('is lower case with dashes, however it is spelled', () => {
    for (const spelling of [
      plain,
      plain.toUpperCase(),
      `{${plain}}`,
      `urn:uuid:${plain}`,
      plain.replaceAll('-', ''),
    ])
      expect(uuid.parse(spelling)).toBe(plain)
  })

  it('may be of any version, as in Python', () => {
    for (const any of [
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ])
      expect(uuid.parse(any)).toBe(any)
  })

  it('is read from any spelling that is made from it', () => {
    const spelling = fc
      .tuple(fc.uuid(), fc.boolean(), fc.boolean(), fc.boolean())
      .map(([given, isBare, isUpper, isUrn]) => {
        const bare = isBare ? given.replaceAll('-', '') : given
        const cased = isUpper ? bare.toUpperCase() : bare
        return { given, spelled: isUrn ? `urn:uuid:${cased}` : `{${cased}}` }
      })
    fc.assert(
      fc.property(spelling, ({ given, spelled }) => {
        expect(canonicalUuid(spelled)).toBe(given)
      }),
    )
  })

  it.each([
    ['not one', COMPLAINT.uuid],
    ['', COMPLAINT.uuid],
    [12, COMPLAINT.uuid],
    [['x'], COMPLAINT.uuid],
    ['0'.repeat(1_000_000), COMPLAINT.uuid],
    [null, COMPLAINT.null],
    [undefined, COMPLAINT.missing],
  ])('is not something else (%#)', (value, complaint) => {
    expect(wrong(uuid, value)).toEqual([complaint])
  })
})

describe('a date and time', () => {
  it.each([
    ['2030-01-02T03:04:05', '2030-01-02T03:04:05'],
    ['2030-01-02 03:04:05', '2030-01-02T03:04:05'],
    ['2030-01-02T03:04', '2030-01-02T03:04:00'],
    ['2030-1-2T3:4:5', '2030-01-02T03:04:05'],
    ['2030-01-02T03:04:05.1', '2030-01-02T03:04:05.100000'],
    ['2030-01-02T03:04:05.12', '2030-01-02T03:04:05.120000'],
    ['2030-01-02T03:04:05.123', '2030-01-02T03:04:05.123000'],
    ['2030-01-02T03:04:05.1234', '2030-01-02T03:04:05.123400'],
    ['2030-01-02T03:04:05.12345', '2030-01-02T03:04:05.123450'],
    ['2030-01-02T03:04:05.123456', '2030-01-02T03:04:05.123456'],
    ['2030-01-02T03:04:05.1234567', '2030-01-02T03:04:05.123456'],
    ['2030-01-02T03:04:05.12345678', '2030-01-02T03:04:05.123456'],
    ['2030-01-02T03:04:05.123456789', '2030-01-02T03:04:05.123456'],
    ['2030-01-02T03:04:05.123456789012', '2030-01-02T03:04:05.123456'],
    ['2030-01-02T03:04:05.000000', '2030-01-02T03:04:05'],
    ['2030-01-02T03:04:05.0000009', '2030-01-02T03:04:05'],
    ['2030-01-02T03:04:05Z', '2030-01-02T03:04:05+00:00'],
    ['2030-01-02T03:04Z', '2030-01-02T03:04:00+00:00'],
    ['2030-01-02T03:04:05+01', '2030-01-02T03:04:05+01:00'],
    ['2030-01-02T03:04:05-0930', '2030-01-02T03:04:05-09:30'],
    ['2030-01-02T03:04:05+05:45', '2030-01-02T03:04:05+05:45'],
    ['2030-01-02T03:04:05.5+05:45', '2030-01-02T03:04:05.500000+05:45'],
    ['2030-01-02T03:04:05-00:00', '2030-01-02T03:04:05+00:00'],
    ['2030-01-02T03:04:05-00:30', '2030-01-02T03:04:05-00:30'],
    ['2030-01-02T03:04:05+23:59', '2030-01-02T03:04:05+23:59'],
    ['2030-01-02T03:04:05+01:90', '2030-01-02T03:04:05+02:30'],
    ['2028-02-29T00:00:00', '2028-02-29T00:00:00'],
    ['2000-02-29T23:59:59', '2000-02-29T23:59:59'],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00'],
    ['9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999999'],
  ])('%s is written %s', (given, written) => {
    expect(datetime.parse(given)).toBe(written)
  })

  it.each([
    ['a day that the year does not have', '2030-02-29T00:00:00'],
    ['a leap day in a century that has none', '1900-02-29T00:00:00'],
    ['the 31st of a shorter month', '2030-04-31T00:00:00'],
    ['day 0', '2030-01-00T00:00:00'],
    ['day 32', '2030-01-32T00:00:00'],
    ['month 0', '2030-00-01T00:00:00'],
    ['month 13', '2030-13-01T00:00:00'],
    ['year 0', '0000-01-01T00:00:00'],
    ['24 h', '2030-01-01T24:00:00'],
    ['60 min', '2030-01-01T00:60:00'],
    ['60 s', '2030-01-01T00:00:60'],
    ['an offset of a day', '2030-01-01T00:00:00+24:00'],
    ['an offset that adds up to a day', '2030-01-01T00:00:00-23:60'],
    ['a short offset', '2030-01-01T00:00:00+1'],
    ['an offset of three digits', '2030-01-01T00:00:00+123'],
    ['a small z', '2030-01-01T00:00:00z'],
    ['a small t', '2030-01-01t00:00:00'],
    ['a date alone', '2030-01-01'],
    ['a time alone', '00:00:00'],
    ['a fraction without digits', '2030-01-01T00:00:00.'],
    ['a comma', '2030-01-01T00:00:00,5'],
    ['a fraction of thirteen digits', '2030-01-01T00:00:00.1234567890123'],
    ['a year of two digits', '30-01-01T00:00:00'],
    ['a year of five digits', '12030-01-01T00:00:00'],
    ['a negative year', '-2030-01-01T00:00:00'],
    ['space before', ' 2030-01-01T00:00:00'],
    ['space after', '2030-01-01T00:00:00 '],
    ['a line end after', '2030-01-01T00:00:00\n'],
    ['two spaces between', '2030-01-01  00:00:00'],
    ['digits beyond ASCII', '203\u0660-01-01T00:00:00'],
    ['nothing', ''],
    ['now', 'now'],
    ['a megabyte', '2030-01-01T00:00:00.'.padEnd(1_000_000, '1')],
  ])('is not %s', (_, value) => {
    expect(wrong(datetime, value)).toEqual([COMPLAINT.datetime])
  })

  it.each([
    [1893456000, COMPLAINT.datetime],
    [true, COMPLAINT.datetime],
    [null, COMPLAINT.null],
    [undefined, COMPLAINT.missing],
  ])('is not %j', (value, complaint) => {
    expect(wrong(datetime, value)).toEqual([complaint])
  })

  it('stays as it is once it was brought into form', () => {
    const two = (max: number) => fc.nat(max).map((part) => String(part).padStart(2, '0'))
    const moment = fc
      .tuple(fc.integer({ min: 1, max: 9999 }), two(13), two(32), two(25), two(61), two(61))
      .map(([year, ...[month, day, hour, minute, second]]) => {
        const date = `${String(year).padStart(4, '0')}-${month}-${day}`
        return `${date}T${hour}:${minute}:${second}`
      })
    const zone = fc.constantFrom('', 'Z', '+01', '-0130', '+23:59', '+24:00')
    const fraction = fc.stringMatching(/^(\.[0-9]{1,9})?$/)
    fc.assert(
      fc.property(moment, fraction, zone, (at, part, offset) => {
        const written = canonicalDatetime(at + part + offset)
        const isDay = !Number.isNaN(Date.parse(`${at.slice(0, 10)}T00:00:00Z`))
        if (!isDay) expect(written).toBeUndefined()
        if (written !== undefined) expect(canonicalDatetime(written)).toBe(written)
      }),
    )
  })
})

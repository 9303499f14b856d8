import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ChannelNameSchema,
  ConnIdSchema,
  UserNameSchema,
  formatCursor,
  parseConnId,
  parseCursor,
} from '../../src/protocol/ids.ts'

const UUID = 'c0ffee00-1234-4abc-9def-0123456789ab'

describe('a cursor', () => {
  it('is read as it was written', () => {
    const epoch = fc.stringMatching(/^[0-9A-Za-z]{1,32}$/)
    fc.assert(
      fc.property(epoch, fc.maxSafeNat(), (given, n) => {
        expect(parseCursor(formatCursor({ epoch: given, n }))).toEqual({ epoch: given, n })
      }),
    )
  })

  it.each<[string, number]>([
    ['a-0', 0],
    ['a-1', 1],
    ['a-9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is one', (text, n) => {
    expect(parseCursor(text)).toEqual({ epoch: 'a', n })
  })

  it.each([
    ['nothing', ''],
    ['a number only', '12'],
    ['an epoch only', 'abc-'],
    ['a number without an epoch', '-12'],
    ['a negative number', 'abc--1'],
    ['NaN', 'abc-NaN'],
    ['an infinity', 'abc-Infinity'],
    ['a fraction', 'abc-1.5'],
    ['an exponent', 'abc-1e3'],
    ['hexadecimal digits', 'abc-0x10'],
    ['a leading zero', 'abc-01'],
    ['two zeros', 'abc-00'],
    ['a sign', 'abc-+1'],
    ['2^53', 'abc-9007199254740992'],
    ['a number that is rounded to a safe one', 'abc-9007199254740993'],
    ['seventeen digits', 'abc-10000000000000000'],
    ['space before', ' abc-1'],
    ['space after', 'abc-1 '],
    ['a line end after', 'abc-1\n'],
    ['something after', 'abc-1-2'],
    ['other characters in the epoch', 'a_b-1'],
    ['letters beyond ASCII', 'é-1'],
    ['digits beyond ASCII', 'abc-\u0661'],
    ['an epoch of 33 characters', `${'e'.repeat(33)}-1`],
    ['a megabyte of digits', `abc-${'1'.repeat(1_000_000)}`],
    ['a megabyte of letters', 'a'.repeat(1_000_000)],
    ['a megabyte of dashes', '-'.repeat(1_000_000)],
  ])('is not %s', (_, text) => {
    expect(parseCursor(text)).toBeUndefined()
  })

  it('has an epoch of up to 32 letters and digits', () => {
    const epoch = 'aZ09'.repeat(8)
    expect(parseCursor(`${epoch}-7`)).toEqual({ epoch, n: 7 })
  })
})

describe('the id of a connection', () => {
  it.each([
    UUID,
    UUID.toUpperCase(),
    UUID.replaceAll('-', ''),
    `{${UUID}}`,
    `urn:uuid:${UUID}`,
    `{urn:uuid:${UUID.toUpperCase()}}`,
    'c0-ff-ee-00-12-34-4a-bc-9d-ef-01-23-45-67-89-ab',
  ])('is read from %s', (spelling) => {
    expect(parseConnId(spelling)).toBe(UUID)
    expect(ConnIdSchema.parse(spelling)).toBe(UUID)
  })

  it.each([
    '',
    'undefined',
    UUID.slice(1),
    `${UUID}0`,
    UUID.replace('c', 'g'),
    `${UUID}\n`,
    ` ${UUID}`,
    `(${UUID})`,
    '{'.repeat(1_000_000),
    UUID.repeat(30_000),
  ])('is not read from what is no UUID (%#)', (spelling) => {
    expect(parseConnId(spelling)).toBeUndefined()
    expect(ConnIdSchema.safeParse(spelling).success).toBe(false)
  })
})

describe('names', () => {
  it.each([
    ['channel', ChannelNameSchema, 256],
    ['user', UserNameSchema, 512],
  ] as const)('of a %s have 1 to %3$d code points', (_, schema, max) => {
    for (const char of ['x', '\u{1F600}']) {
      expect(schema.safeParse(char).success).toBe(true)
      expect(schema.safeParse(char.repeat(max)).success).toBe(true)
      const tooLong = schema.safeParse(char.repeat(max + 1))
      expect(tooLong.error?.issues.map(({ message }) => message)).toEqual([
        `Length must be between 1 and ${max}.`,
      ])
    }
    expect(schema.safeParse('').success).toBe(false)
  })

  it('stay as they are given', () => {
    for (const name of [' room ', 'Room', 'ro\u0308om', '__proto__', 'two\nlines', '\u0000'])
      expect(ChannelNameSchema.parse(name)).toBe(name)
  })
})

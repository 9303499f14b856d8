import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byCodePoint } from '../../src/lib/code-points.ts'

/** The comparison of Python's `sorted`. */
function asPython(one: string, other: string): number {
  const [a, b] = [one, other].map((text) => [...text].map((char) => char.codePointAt(0) ?? 0))
  for (const [index, point] of (a ?? []).entries()) {
    const against = b?.[index]
    if (against === undefined) return 1
    if (point !== against) return point - against
  }
  return (a?.length ?? 0) - (b?.length ?? 0)
}

describe('the order by code point', () => {
  it('puts astral characters behind all others, as Python does', () => {
    // Recorded: sorted(["\U0001F600", "\uFFFD", "\uE000", "z", "\uD7FF", "é"]) in Python 3.
    const sorted = ['z', 'é', '\uD7FF', '\uE000', '\uFFFD', '\u{1F600}']
    expect([...sorted].reverse().sort(byCodePoint)).toEqual(sorted)
    expect([...sorted].reverse().sort()).not.toEqual(sorted)
  })

  it('puts a beginning before what it begins', () => {
    expect(['ab', 'a', '', 'b'].sort(byCodePoint)).toEqual(['', 'a', 'ab', 'b'])
  })

  it('tells capitals, digits and small letters apart as Python does', () => {
    expect(['b', 'B', '10', '9', '_', 'a'].sort(byCodePoint)).toEqual([
      '10',
      '9',
      'B',
      '_',
      'a',
      'b',
    ])
  })

  it('agrees with Python on any two texts', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 })
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(Math.sign(byCodePoint(one, other))).toBe(Math.sign(asPython(one, other)))
      }),
    )
  })

  it('agrees with Python on texts that differ late, beyond the Basic Multilingual Plane', () => {
    const char = fc.constantFrom('a', '\uD7FF', '\uE000', '\uFFFF', '\u{10000}', '\u{10FFFF}')
    const text = fc.array(char, { maxLength: 4 }).map((chars) => chars.join(''))
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(Math.sign(byCodePoint(one, other))).toBe(Math.sign(asPython(one, other)))
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { roughSize } from '../../src/lib/rough-size.ts'

describe('the rough size of a value', () => {
  it.each([
    ['a text', 'x'.repeat(1_000)],
    ['a list', Array.from({ length: 500 }, (_, n) => ({ n, text: 'some text' }))],
    ['nested objects', { a: { b: { c: ['d', { e: 'x'.repeat(300) }] } } }],
    ['small values', { a: 1, b: true, c: null, d: [] }],
  ])('is about that of its JSON: %s', (_what, value) => {
    const { length } = JSON.stringify(value)
    expect(roughSize(value)).toBeGreaterThan(length / 2)
    expect(roughSize(value)).toBeLessThan(length * 3)
  })

  it('is counted no further than a limit', () => {
    let seen = 0
    const list = Array.from({ length: 1_000 }, () => ({
      get text() {
        seen++
        return 'x'.repeat(100)
      },
    }))
    expect(roughSize(list, 1_000)).toBeGreaterThan(1_000)
    expect(seen).toBeLessThan(20)
  })
})

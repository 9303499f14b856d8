import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retryDelayMs } from '../../../frontend/client/backoff.ts'

const longest = (failures: number, step = 2000, later = false): number =>
  retryDelayMs(failures, step, { later, random: () => 1 })
const least = (failures: number, step = 2000, later = false): number =>
  retryDelayMs(failures, step, { later, random: () => 0 })

describe('the delay before a retry', () => {
  it('doubles at its longest, up to a minute', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 5000].map((failures) => longest(failures))
    expect(delays).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it('may be none at all, unless the server asks for some time', () => {
    expect([least(1), least(9), least(1, 2000, true)]).toEqual([0, 0, 1000])
  })

  it('is spread evenly over that time', () => {
    const quarters = [0, 0, 0, 0]
    for (let n = 0; n < 4000; n++) {
      const quarter = Math.floor(retryDelayMs(3, 2000) / 2000)
      quarters[quarter] = (quarters[quarter] ?? 0) + 1
    }
    // Expected: 1000 each. With 4000 draws, one run in ten thousand would deviate by more than 120.
    for (const count of quarters) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  it('is never longer than a minute, never negative, and on average never nothing', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.oneof(fc.double(), fc.integer()),
        fc.boolean(),
        (failures, step, later) => {
          expect(longest(failures, step, later)).toBeGreaterThanOrEqual(100)
          expect(longest(failures, step, later)).toBeLessThanOrEqual(60_000)
          expect(least(failures, step, later)).toBeGreaterThanOrEqual(0)
        },
      ),
    )
  })
})

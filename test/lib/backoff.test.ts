import { describe, expect, it } from 'vitest'
import { backoffMs } from '../../src/lib/backoff.ts'

const backoff = { firstMs: 100, mostMs: 2_000 }

describe('backoffMs', () => {
  it('doubles with each retry, up to a limit', () => {
    const delays = [0, 1, 2, 3, 4, 5, 100].map((retries) => backoffMs(retries, backoff, 0.5))
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000])
  })

  it('differs by a quarter at most', () => {
    expect(backoffMs(0, backoff, 0)).toBe(75)
    expect(backoffMs(0, backoff, 0.999_999)).toBeCloseTo(125, 3)
  })
})

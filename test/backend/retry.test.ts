import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRetryAfter, retryDelayMs, retry } from '../../src/backend/retry.ts'

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('a pause', () => {
  it('is anything up to a bound that doubles, from 100 ms to 5 s', () => {
    const bounds = [1, 2, 3, 6, 7, 50, 5000].map((attempt) => retryDelayMs(attempt, 0, 1))
    expect(bounds).toEqual([100, 200, 400, 3200, 5000, 5000, 5000])
    expect(retryDelayMs(3, 0, 0)).toBe(0)
    expect(retryDelayMs(3, 0, 0.5)).toBe(200)
  })

  it('differs from caller to caller', () => {
    const pauses = Array.from({ length: 100 }, () => retryDelayMs(5, 0))
    expect(new Set(pauses).size).toBeGreaterThan(90)
  })

  it('is never shorter than what the server asks for', () => {
    const attempt = fc.integer({ min: 1, max: 1e6 })
    fc.assert(
      fc.property(attempt, fc.nat(), fraction, (number, asked, random) => {
        const pause = retryDelayMs(number, asked, random)
        expect(pause).toBeGreaterThanOrEqual(asked)
        expect(pause).toBeLessThanOrEqual(asked + 5_000)
      }),
    )
  })
})

describe('a deadline', () => {
  it('leaves out an attempt for which there is no time', async () => {
    for (let round = 0; round < 20; round++) {
      let attempts = 0
      const retrying = retry(
        () => {
          attempts++
          return Promise.reject(new Error('lost'))
        },
        () => ({ isRetryable: true, retryAfterMs: 0 }),
        { deadlineMs: 5, timeoutMs: 5, maxAttempts: 100 },
        undefined,
      )
      await expect(retrying).rejects.toThrow('lost')
      expect(attempts).toBe(1)
    }
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 21, 9, 30, 0)
  it.each([
    [undefined, 0],
    ['', 0],
    ['0', 0],
    ['7', 7_000],
    ['-7', 0],
    ['soon', 0],
    ['Sat, 21 Nov 2026 09:30:05 GMT', 5_000],
    ['Sat, 21 Nov 2026 09:29:00 GMT', 0],
  ])('%j is so many milliseconds: %d', (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms)
  })

  it('is never negative or no number, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(parseRetryAfter(header, now)).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { asInFrames, isoTimestamp, uptimeText } from '../../src/protocol/timestamps.ts'

describe('timestamps', () => {
  const NEW_YEAR = Date.UTC(2030, 0, 1)

  it('have six digits of a second and no zone', () => {
    expect(isoTimestamp(NEW_YEAR)).toBe('2030-01-01T00:00:00.000000')
    expect(isoTimestamp(NEW_YEAR + 86_399_999)).toBe('2030-01-01T23:59:59.999000')
  })

  it('tell microseconds where the clock does', () => {
    expect(isoTimestamp(NEW_YEAR + 1.5)).toBe('2030-01-01T00:00:00.001500')
    expect(isoTimestamp(NEW_YEAR + 0.0625)).toBe('2030-01-01T00:00:00.000062')
  })

  it('never run over into a second digit group', () => {
    for (let micros = 0; micros < 1000; micros++)
      expect(isoTimestamp(NEW_YEAR + micros / 1000)).toMatch(/^2030-01-01T00:00:00\.000\d{3}$/)
  })

  it('say Z in frames where answers say +00:00', () => {
    expect(asInFrames('2030-01-01T00:00:00+00:00')).toBe('2030-01-01T00:00:00Z')
    expect(asInFrames('2030-01-01T00:00:00+01:00')).toBe('2030-01-01T00:00:00+01:00')
    expect(asInFrames('2030-01-01T00:00:00')).toBe('2030-01-01T00:00:00')
  })
})

describe('how long something has run', () => {
  it.each([
    [0, '0:00:00'],
    [59.999, '0:00:59'],
    [3661, '1:01:01'],
    [86_399, '23:59:59'],
    [86_400, '1 day, 0:00:00'],
    [2 * 86_400 + 36_000, '2 days, 10:00:00'],
    [100 * 86_400 + 61, '100 days, 0:01:01'],
  ])('%d s is %j, as Python prints it', (seconds, text) => {
    expect(uptimeText(seconds)).toBe(text)
  })
})

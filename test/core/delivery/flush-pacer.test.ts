import { describe, expect, it } from 'vitest'
import { FlushPacer } from '../../../src/core/delivery/flush-pacer.ts'

/** A pacer after a flush of `ms` milliseconds to a thousand sockets that ended at 1000. */
function after(ms: number): FlushPacer {
  const pace = new FlushPacer()
  pace.flushed(1000, 1000 - ms, 1000)
  return pace
}

describe('the pace of flushes', () => {
  it('keeps nobody waiting at first', () => {
    expect(new FlushPacer().earliestStart(1000)).toBe(0)
  })

  it('leaves a quarter of the time that the last flush took before one that is as large', () => {
    expect(after(8).earliestStart(1000)).toBe(1002)
    expect(after(8).earliestStart(5000)).toBe(1002)
  })

  it('leaves less before a smaller one, and nothing where nothing could come', () => {
    expect(after(8).earliestStart(500)).toBe(1001)
    expect(after(8).earliestStart(100)).toBe(1000)
    expect(after(0.8).earliestStart(1000)).toBeLessThanOrEqual(1000)
  })

  it('leaves 20 ms at most', () => {
    expect(after(800).earliestStart(1000)).toBe(1020)
  })

  it('is not forgotten for a small flush in between', () => {
    const pace = after(8)
    pace.flushed(1, 1000.1, 1000.2)
    expect(pace.earliestStart(1000)).toBe(1002)
  })

  it('goes by the last flush', () => {
    const pace = after(8)
    pace.flushed(10, 1010, 1014)
    expect(pace.earliestStart(1000)).toBe(1015)
  })
})

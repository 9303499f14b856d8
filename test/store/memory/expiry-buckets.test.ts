import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../../src/store/memory/expiry-buckets.ts'

/** How late a deadline may be noticed. */
const LATE_MS = 250

describe('deadlines', () => {
  it('are due at their time, not before, and at most a quarter of a second after', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('a', 1100)
    expect(deadlines.due(1099)).toEqual([])
    expect(deadlines.due(1100 + LATE_MS)).toEqual(['a'])
  })

  it('are due once', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('a', 100)
    expect(deadlines.due(1000)).toEqual(['a'])
    expect(deadlines.due(1000)).toEqual([])
    expect(deadlines.size).toBe(0)
  })

  it('come soonest first', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('late', 5000)
    deadlines.set('soon', 1000)
    deadlines.set('between', 3000)
    expect(deadlines.due(10_000)).toEqual(['soon', 'between', 'late'])
  })

  it('move when they are set again, later or sooner', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('postponed', 1000)
    deadlines.set('postponed', 9000)
    deadlines.set('hurried', 9000)
    deadlines.set('hurried', 1000)
    expect(deadlines.size).toBe(2)
    expect(deadlines.due(2000)).toEqual(['hurried'])
    expect(deadlines.due(8999)).toEqual([])
    expect(deadlines.due(9000 + LATE_MS)).toEqual(['postponed'])
  })

  it('are gone when they are cleared, once or more often', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('a', 100)
    deadlines.set('b', 100)
    deadlines.clear('a')
    deadlines.clear('a')
    deadlines.clear('never set')
    expect(deadlines.size).toBe(1)
    expect(deadlines.due(1000)).toEqual(['b'])
  })

  it('in the past are due soon', () => {
    const deadlines = new Deadlines<string>(10_000)
    deadlines.set('a', 0)
    expect(deadlines.due(10_000 + LATE_MS)).toEqual(['a'])
    deadlines.set('b', 0)
    expect(deadlines.due(10_000 + 2 * LATE_MS)).toEqual(['b'])
  })

  it('are found after a long time in which nobody asked', () => {
    const deadlines = new Deadlines<string>(0)
    deadlines.set('a', 1000)
    expect(deadlines.due(86_400_000)).toEqual(['a'])
    deadlines.set('b', 86_401_000)
    expect(deadlines.due(86_400_999)).toEqual([])
    expect(deadlines.due(86_401_000 + LATE_MS)).toEqual(['b'])
  })

  it('agree with a list that is searched, whatever is set, cleared and asked', () => {
    const key = fc.integer({ min: 0, max: 5 })
    const step = fc.oneof(
      fc.record({
        does: fc.constant('set' as const),
        key,
        inMs: fc.integer({ min: 0, max: 3000 }),
      }),
      fc.record({ does: fc.constant('clear' as const), key }),
      fc.record({ does: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2000 }) }),
    )
    fc.assert(
      fc.property(fc.nat(10_000), fc.array(step, { maxLength: 60 }), (start, steps) => {
        let now = start
        const deadlines = new Deadlines<number>(now)
        const model = new Map<number, number>()
        for (const done of steps) {
          if (done.does === 'set') {
            deadlines.set(done.key, now + done.inMs)
            model.set(done.key, now + done.inMs)
          } else if (done.does === 'clear') {
            deadlines.clear(done.key)
            model.delete(done.key)
          } else {
            now += done.ms
            for (const due of deadlines.due(now)) {
              expect(model.get(due)).toBeLessThanOrEqual(now)
              model.delete(due)
            }
            for (const at of model.values()) expect(at).toBeGreaterThan(now - LATE_MS)
          }
          expect(deadlines.size).toBe(model.size)
        }
      }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpiryBuckets } from '../../../src/store/memory/expiry-buckets.ts'

/** The maximum delay of a deadline. */
const LATE_MS = 250

describe('buckets', () => {
  it('are due at their time, not before, and at most a quarter of a second after', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('a', 1100)
    expect(buckets.due(1099)).toEqual([])
    expect(buckets.due(1100 + LATE_MS)).toEqual(['a'])
  })

  it('are due once', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('a', 100)
    expect(buckets.due(1000)).toEqual(['a'])
    expect(buckets.due(1000)).toEqual([])
    expect(buckets.size).toBe(0)
  })

  it('come soonest first', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('late', 5000)
    buckets.set('soon', 1000)
    buckets.set('between', 3000)
    expect(buckets.due(10_000)).toEqual(['soon', 'between', 'late'])
  })

  it('move when they are set again, later or sooner', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('postponed', 1000)
    buckets.set('postponed', 9000)
    buckets.set('hurried', 9000)
    buckets.set('hurried', 1000)
    expect(buckets.size).toBe(2)
    expect(buckets.due(2000)).toEqual(['hurried'])
    expect(buckets.due(8999)).toEqual([])
    expect(buckets.due(9000 + LATE_MS)).toEqual(['postponed'])
  })

  it('are gone when they are cleared, once or more often', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('a', 100)
    buckets.set('b', 100)
    buckets.clear('a')
    buckets.clear('a')
    buckets.clear('never set')
    expect(buckets.size).toBe(1)
    expect(buckets.due(1000)).toEqual(['b'])
  })

  it('in the past are due soon', () => {
    const buckets = new ExpiryBuckets<string>(10_000)
    buckets.set('a', 0)
    expect(buckets.due(10_000 + LATE_MS)).toEqual(['a'])
    buckets.set('b', 0)
    expect(buckets.due(10_000 + 2 * LATE_MS)).toEqual(['b'])
  })

  it('are found after a long time in which nobody asked', () => {
    const buckets = new ExpiryBuckets<string>(0)
    buckets.set('a', 1000)
    expect(buckets.due(86_400_000)).toEqual(['a'])
    buckets.set('b', 86_401_000)
    expect(buckets.due(86_400_999)).toEqual([])
    expect(buckets.due(86_401_000 + LATE_MS)).toEqual(['b'])
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
        const buckets = new ExpiryBuckets<number>(now)
        const model = new Map<number, number>()
        for (const done of steps) {
          if (done.does === 'set') {
            buckets.set(done.key, now + done.inMs)
            model.set(done.key, now + done.inMs)
          } else if (done.does === 'clear') {
            buckets.clear(done.key)
            model.delete(done.key)
          } else {
            now += done.ms
            for (const due of buckets.due(now)) {
              expect(model.get(due)).toBeLessThanOrEqual(now)
              model.delete(due)
            }
            for (const at of model.values()) expect(at).toBeGreaterThan(now - LATE_MS)
          }
          expect(buckets.size).toBe(model.size)
        }
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { KeyedSemaphore, RateLimiter } from '../../src/net/limiters.ts'
import { ManualClock } from '../helpers/clock.ts'

describe('a semaphore by key', () => {
  it('is acquired for each key as often as the limit says', () => {
    const semaphore = new KeyedSemaphore(2)
    const releases = [1, 2, 3].map(() => semaphore.tryAcquire('a'))
    expect(releases.map(Boolean)).toEqual([true, true, false])
    expect(semaphore.tryAcquire('b')).toBeDefined()
    // The second call changes nothing.
    for (let n = 0; n < 2; n++) releases[0]?.()
    expect([semaphore.tryAcquire('a'), semaphore.tryAcquire('a')].map(Boolean)).toEqual([
      true,
      false,
    ])
  })

  it('keeps nothing of keys that hold nothing', () => {
    const semaphore = new KeyedSemaphore(3)
    const releases = ['a', 'b', 'a'].map((key) => semaphore.tryAcquire(key))
    expect(semaphore.size).toBe(2)
    for (const release of releases) release?.()
    expect(semaphore.size).toBe(0)
  })

  it('has no limit at 0, and keeps nothing', () => {
    const semaphore = new KeyedSemaphore(0)
    for (let n = 0; n < 100; n++) expect(semaphore.tryAcquire('a')).toBeDefined()
    expect(semaphore.size).toBe(0)
  })

  it('may get another limit', () => {
    const semaphore = new KeyedSemaphore(0)
    const before = semaphore.tryAcquire('a')
    semaphore.max = 1
    const counted = semaphore.tryAcquire('a')
    before?.()
    expect(semaphore.tryAcquire('a')).toBeUndefined()
    counted?.()
    expect(semaphore.tryAcquire('a')).toBeDefined()
  })
})

describe('a rate', () => {
  it('lets as many pass at once as in a second, and then as many as time has passed', async () => {
    const clock = new ManualClock()
    const limiter = new RateLimiter(10, clock)
    const passed = (): number =>
      Array.from({ length: 50 }, () => limiter.tryAcquire()).filter(Boolean).length
    expect(passed()).toBe(10)
    await clock.advance(500)
    expect(passed()).toBe(5)
    await clock.advance(60_000)
    expect(passed()).toBe(10)
  })

  it('of 0 lets everything pass', () => {
    const limiter = new RateLimiter(0, new ManualClock())
    for (let n = 0; n < 100; n++) expect(limiter.tryAcquire()).toBe(true)
  })
})

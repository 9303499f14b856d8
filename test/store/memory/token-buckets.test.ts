import { describe, expect, it } from 'vitest'
import { TokenBuckets } from '../../../src/store/memory/token-buckets.ts'
import { channelName, userName } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'

const RATE = { intervalMs: 100, burst: 10 }
/** The time in which an empty bucket fills up. */
const PERIOD_MS = 1000

function begin() {
  const clock = new ManualClock()
  const buckets = new TokenBuckets(clock)
  const take = (user: string, tokens = 1): void =>
    buckets.take({
      ...RATE,
      charges: [{ user: userName(user), channel: channelName('room'), tokens }],
    })
  return { clock, buckets, take }
}

describe('token buckets in memory', () => {
  it('are forgotten when they are full, also if nobody posts any more', async () => {
    const { clock, buckets, take } = begin()
    for (let n = 0; n < 1000; n++) take(`user ${n}`)
    expect(buckets.size).toBe(1000)
    for (let turn = 0; turn < 5; turn++) {
      await clock.advance(PERIOD_MS / 2)
      buckets.sweep()
    }
    expect(buckets.size).toBe(0)
  })

  it('are not forgotten before, however often they are swept', async () => {
    const { clock, buckets, take } = begin()
    take('first')
    // Right before the end of the period.
    await clock.advance(PERIOD_MS - 1)
    take('ann', 10)
    for (let passed = 1; passed <= 99; passed++) {
      await clock.advance(1)
      buckets.sweep()
      expect(() => take('ann'), `after ${passed} ms`).toThrow('posts too many')
    }
    await clock.advance(1)
    take('ann')
    for (let step = 0; step < 9; step++) {
      await clock.advance(50)
      buckets.sweep()
    }
    expect(() => take('ann', 6)).toThrow('posts too many')
    take('ann', 4)
  })

  it('are bounded by the users who posted in two periods', async () => {
    const { clock, buckets, take } = begin()
    for (let n = 0; n < 5000; n++) {
      take(`user ${n}`)
      await clock.advance(10)
    }
    expect(buckets.size).toBeLessThanOrEqual(2 * (PERIOD_MS / 10) + 2)
  })
})

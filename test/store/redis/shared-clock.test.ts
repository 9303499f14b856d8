import { describe, expect, it } from 'vitest'
import { SharedClock } from '../../../src/store/redis/shared-clock.ts'
import { ManualClock } from '../../helpers/clock.ts'

function start() {
  const steady = new ManualClock()
  return { steady, clock: new SharedClock(() => steady.now()) }
}

describe("an installation's time, as a server knows it", () => {
  it('is unknown before it was told, and goes on by the steady clock then', () => {
    const { steady, clock } = start()
    expect(clock.estimate()).toBe(0)
    steady.leap(500)
    clock.note(10_000, 0)
    expect(clock.estimate()).toBe(10_000)
    steady.leap(1234.5)
    expect(clock.estimate()).toBe(11_234)
  })

  it('is not the calendar of Redis, which is known as of the last beat', () => {
    const { steady, clock } = start()
    expect(clock.calendar()).toBe(0)
    clock.note(10_000, 50_000)
    steady.leap(1000)
    expect(clock.calendar()).toBe(51_000)
    clock.note(11_000, 20_000)
    expect([clock.calendar(), clock.estimate()]).toEqual([20_000, 11_000])
  })

  it('is not slowed down by the time that answers are on their way', () => {
    const { steady, clock } = start()
    clock.note(10_000, 0)
    for (let beat = 0; beat < 100; beat++) {
      const sent = clock.estimate()
      steady.leap(200)
      clock.note(sent, 0)
      steady.leap(800)
    }
    expect(clock.estimate()).toBe(110_000)
  })

  it('follows those who are ahead, for instance after this machine was stopped', () => {
    const { steady, clock } = start()
    clock.note(10_000, 0)
    steady.leap(1000)
    clock.note(600_000, 0)
    expect(clock.estimate()).toBe(600_000)
    clock.note(20_000, 0)
    expect(clock.estimate()).toBe(600_000)
  })

  it('is not hurried by two servers that follow each other, however long answers take', () => {
    const steady = new ManualClock()
    const clocks = [0, 1].map(() => new SharedClock(() => steady.now()))
    for (const clock of clocks) clock.note(10_000, 0)
    let kept = 0
    for (let beat = 0; beat < 1000; beat++) {
      const clock = clocks[beat % 2] as SharedClock
      const sent = clock.estimate()
      steady.leap(100)
      kept = Math.max(kept, sent)
      const answer = kept
      steady.leap(100)
      clock.note(answer, 0)
      steady.leap(300)
    }
    expect(Math.max(...clocks.map((clock) => clock.estimate()))).toBe(10_000 + 500_000)
  })
})

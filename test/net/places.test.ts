import { describe, expect, it } from 'vitest'
import { Places, Rate } from '../../src/net/places.ts'
import { ManualClock } from '../helpers/clock.ts'

describe('places', () => {
  it('are as many for each key as the limit says', () => {
    const places = new Places(2)
    expect([places.take('a'), places.take('a'), places.take('a')]).toEqual([true, true, false])
    expect(places.take('b')).toBe(true)
    places.leave('a')
    expect([places.take('a'), places.take('a')]).toEqual([true, false])
  })

  it('keep nothing of keys that hold nothing', () => {
    const places = new Places(3)
    for (const key of ['a', 'b', 'a']) places.take(key)
    expect(places.size).toBe(2)
    for (const key of ['a', 'a', 'b']) places.leave(key)
    expect(places.size).toBe(0)
  })

  it('are without number at 0, and nothing is kept', () => {
    const places = new Places(0)
    for (let n = 0; n < 100; n++) expect(places.take('a')).toBe(true)
    expect(places.size).toBe(0)
    places.leave('a')
  })
})

describe('a rate', () => {
  it('lets as many pass at once as in a second, and then as many as time has passed', async () => {
    const clock = new ManualClock()
    const rate = new Rate(10, clock)
    const passed = (): number =>
      Array.from({ length: 50 }, () => rate.pass()).filter(Boolean).length
    expect(passed()).toBe(10)
    await clock.advance(500)
    expect(passed()).toBe(5)
    await clock.advance(60_000)
    expect(passed()).toBe(10)
  })

  it('of 0 lets everything pass', () => {
    const rate = new Rate(0, new ManualClock())
    for (let n = 0; n < 100; n++) expect(rate.pass()).toBe(true)
  })
})

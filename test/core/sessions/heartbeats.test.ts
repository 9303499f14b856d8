import { describe, expect, it } from 'vitest'
import { LiveConnection } from '../../../src/core/delivery/connection.ts'
import { Heartbeats } from '../../../src/core/sessions/heartbeats.ts'
import { connIdOf, userName } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'

const INTERVAL_MS = 5000

function open() {
  const clock = new ManualClock()
  const beats = new Map<LiveConnection, number[]>()
  const heartbeats = new Heartbeats(clock, INTERVAL_MS, (connection) => {
    beats.set(connection, [...(beats.get(connection) ?? []), clock.now()])
  })
  heartbeats.start()
  let ids = 0
  const connection = (): LiveConnection => new LiveConnection(connIdOf(++ids), userName('ann'))
  const beatsOf = (one: LiveConnection): number[] => beats.get(one) ?? []
  return { clock, heartbeats, connection, beatsOf }
}

/** The heartbeats of one connection in this number of intervals. */
async function beatsWithin(intervals: number, clock: ManualClock, intervalMs: number) {
  let beats = 0
  const heartbeats = new Heartbeats(clock, intervalMs, () => beats++)
  heartbeats.start()
  heartbeats.add(new LiveConnection(connIdOf(1), userName('ann')))
  await clock.advance(intervals * intervalMs)
  return beats
}

/** Each interval starts when the last task began, like Node's timers. */
class LateClock extends ManualClock {
  override every(ms: number, run: () => void) {
    let cancel = (): void => {}
    const arm = (): void => {
      cancel = this.after(ms + LATE_MS, () => {
        arm()
        run()
      })
    }
    arm()
    return () => cancel()
  }
}
const LATE_MS = 10

describe('heartbeats', () => {
  it.each([0, 1, 999, 1000, 1001, 2500, 4999])(
    'begin within an interval, at most a fifth early, and come regularly, if opened at %d ms',
    async (openedAt) => {
      const { clock, heartbeats, connection, beatsOf } = open()
      const one = connection()
      await clock.advance(openedAt)
      heartbeats.add(one)
      await clock.advance(6 * INTERVAL_MS)
      const beats = beatsOf(one)
      const first = (beats[0] ?? 0) - openedAt
      expect(first).toBeGreaterThanOrEqual((4 / 5) * INTERVAL_MS)
      expect(first).toBeLessThanOrEqual(INTERVAL_MS)
      expect(beats.length).toBeGreaterThanOrEqual(6)
      const gaps = beats.slice(1).map((at, index) => at - (beats[index] ?? 0))
      expect(new Set(gaps)).toEqual(new Set([INTERVAL_MS]))
    },
  )

  it('stand still for who was removed', async () => {
    const { clock, heartbeats, connection, beatsOf } = open()
    const [gone, there] = [connection(), connection()]
    heartbeats.add(gone)
    heartbeats.add(there)
    await clock.advance(INTERVAL_MS)
    heartbeats.remove(gone)
    await clock.advance(2 * INTERVAL_MS)
    expect(beatsOf(gone)).toHaveLength(1)
    expect(beatsOf(there)).toHaveLength(3)
  })

  it('start anew for who is added again, and do not double', async () => {
    const { clock, heartbeats, connection, beatsOf } = open()
    const one = connection()
    heartbeats.add(one)
    await clock.advance(3000)
    heartbeats.add(one)
    await clock.advance(3900)
    expect(beatsOf(one)).toEqual([])
    await clock.advance(INTERVAL_MS)
    expect(beatsOf(one)).toHaveLength(1)
  })

  it('take one timer, however many there are, and none when stopped', async () => {
    const { clock, heartbeats, connection, beatsOf } = open()
    const all = Array.from({ length: 50 }, connection)
    for (const one of all) heartbeats.add(one)
    heartbeats.start()
    expect(clock.pending).toBe(1)
    heartbeats.stop()
    heartbeats.stop()
    expect(clock.pending).toBe(0)
    await clock.advance(2 * INTERVAL_MS)
    expect(all.flatMap(beatsOf)).toEqual([])
  })

  it('go on for the others when a beat removes the one it is for', async () => {
    const clock = new ManualClock()
    const beaten: number[] = []
    const all = [1, 2, 3].map((id) => new LiveConnection(connIdOf(id), userName('ann')))
    const heartbeats = new Heartbeats(clock, INTERVAL_MS, (connection) => {
      beaten.push(all.indexOf(connection))
      heartbeats.remove(connection)
    })
    heartbeats.start()
    for (const one of all) heartbeats.add(one)
    await clock.advance(2 * INTERVAL_MS)
    expect(beaten.sort()).toEqual([0, 1, 2])
  })

  it('are spread for those who come at once', async () => {
    const { clock, heartbeats, connection, beatsOf } = open()
    const all = Array.from({ length: 1000 }, connection)
    for (const one of all) heartbeats.add(one)
    await clock.advance(2 * INTERVAL_MS)
    const times = all.flatMap(beatsOf)
    expect(times).toHaveLength(2 * all.length)
    const perTick = new Map<number, number>()
    for (const time of times) perTick.set(time, (perTick.get(time) ?? 0) + 1)
    expect(Math.max(...perTick.values())).toBeLessThanOrEqual(50)
  })

  it('do not fall behind when a timer is late each time', async () => {
    expect(await beatsWithin(20.5, new LateClock(), INTERVAL_MS)).toBe(20)
  })

  it('are sent once to each, not once for each interval, after a pause of the whole process', async () => {
    const { clock, heartbeats, connection, beatsOf } = open()
    const all = Array.from({ length: 50 }, connection)
    for (const one of all) heartbeats.add(one)
    clock.leap(10 * INTERVAL_MS)
    await clock.advance(INTERVAL_MS / 100)
    expect(all.map((one) => beatsOf(one).length)).toEqual(all.map(() => 1))
  })

  it.each([1, 49, 70])('come in time where the interval is only %d ms', async (intervalMs) => {
    expect(await beatsWithin(10.5, new ManualClock(), intervalMs)).toBe(10)
  })
})

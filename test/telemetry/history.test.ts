import { describe, expect, it } from 'vitest'
import { Histogram } from '../../src/lib/histogram.ts'
import { FIGURES } from '../../src/protocol/admin.ts'
import { CAPACITY, FiguresHistory, INTERVAL_MS } from '../../src/telemetry/history.ts'
import { Readings } from '../../src/telemetry/readings.ts'
import { ManualClock } from '../helpers/clock.ts'
import type { DelayMeter } from '../../src/telemetry/event-loop.ts'
import type { ReadingsDeps } from '../../src/telemetry/readings.ts'

const STORE = {
  users: 5,
  connectedUsers: 4,
  connections: 3,
  channels: 2,
  messages: 0,
  deliveries: 0,
}
const TRAFFIC = {
  ...{ connections: 2, guests: 1, heldBytes: 7, events: 0, writes: 0, bytes: 0, slow: 0 },
  ...{ opened: { stream: 0, poll: 0 }, resumed: 0, caughtUp: 0, gaps: { stream: 0, poll: 0 } },
  seconds: new Histogram([]).view(),
}

/** A history of figures that the test sets. */
class Bench {
  readonly clock = new ManualClock()
  readonly figures = { ...STORE }
  readonly traffic = { ...TRAFFIC }
  readonly faults: unknown[] = []
  isDown = false
  isMeasuring = false
  readonly #deps: ReadingsDeps = {
    figures: () =>
      this.isDown ? Promise.reject(new Error('gone')) : Promise.resolve({ ...this.figures }),
    traffic: () => ({ ...this.traffic }),
    memoryBytes: () => 1000,
  }
  readonly history = new FiguresHistory(
    () => new Readings(this.#deps, this.clock, this.#measure()),
    this.clock,
    (fault) => this.faults.push(fault),
  )

  #measure(): DelayMeter {
    this.isMeasuring = true
    return { read: () => 1.234, stop: () => void (this.isMeasuring = false) }
  }
}

describe('the history of figures', () => {
  it('has a reading at once, and one every five seconds', async () => {
    const bench = new Bench()
    bench.history.start()
    await bench.clock.endTurn()
    expect(bench.history.series().times).toEqual([bench.clock.wallTime()])
    await bench.clock.advance(3 * INTERVAL_MS)
    const { times, series } = bench.history.series()
    expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 5000, 10_000, 15_000])
    expect(Object.keys(series)).toEqual([...FIGURES])
    for (const [name, values] of Object.entries(series)) expect(values, name).toHaveLength(4)
    expect(bench.history.current()).toEqual({
      users: 5,
      connected_users: 4,
      connections: 3,
      open_connections: 2,
      guests: 1,
      channels: 2,
      messages_per_second: 0,
      events_per_second: 0,
      bytes_per_second: 0,
      held_bytes: 7,
      memory_bytes: 1000,
      event_loop_delay_ms: 1.23,
    })
  })

  it('tells what only grows as so much a second', async () => {
    const bench = new Bench()
    bench.figures.messages = 1000
    bench.history.start()
    await bench.clock.endTurn()
    bench.figures.messages += 10
    bench.traffic.events += 50
    bench.traffic.bytes += 5000
    await bench.clock.advance(INTERVAL_MS)
    const rates = { messages_per_second: 2, events_per_second: 10, bytes_per_second: 1000 }
    expect(bench.history.current()).toMatchObject(rates)
    bench.figures.messages = 0 // another store, whose counters start at 0
    await bench.clock.advance(INTERVAL_MS)
    expect(bench.history.current()).toMatchObject({ messages_per_second: 0, events_per_second: 0 })
  })

  it('holds an hour, and no more', async () => {
    const bench = new Bench()
    bench.history.start()
    await bench.clock.endTurn()
    for (let taken = 0; taken < CAPACITY + 3; taken++) {
      bench.figures.users = taken
      await bench.clock.advance(INTERVAL_MS)
    }
    const { times, series } = bench.history.series()
    expect(times).toHaveLength(CAPACITY)
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBe(3_600_000 - INTERVAL_MS)
    expect(times).toEqual(times.toSorted((one, other) => one - other))
    expect(series.users).toEqual(Array.from({ length: CAPACITY }, (_, at) => at + 3))
    expect(bench.history.current().users).toBe(CAPACITY + 2)
  })

  it('leaves out what could not be read, and tells it', async () => {
    const bench = new Bench()
    bench.history.start()
    await bench.clock.endTurn()
    bench.isDown = true
    await bench.clock.advance(INTERVAL_MS)
    expect(bench.faults).toHaveLength(1)
    bench.isDown = false
    await bench.clock.advance(INTERVAL_MS)
    const { times } = bench.history.series()
    expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 10_000])
  })

  it('leaves nothing behind when it is stopped', async () => {
    const bench = new Bench()
    bench.history.start()
    bench.history.start()
    await bench.clock.advance(INTERVAL_MS)
    bench.history.stop()
    expect(bench.clock.pending).toBe(0)
    expect(bench.isMeasuring).toBe(false)
  })

  it('takes a reading in less than a millisecond', async () => {
    const bench = new Bench()
    bench.history.start()
    await bench.clock.endTurn()
    const times: number[] = []
    for (let round = 0; round < 50; round++) {
      const began = performance.now()
      await bench.clock.advance(INTERVAL_MS)
      times.push(performance.now() - began)
    }
    expect(times.sort((one, other) => one - other)[25]).toBeLessThan(1)
  })
})

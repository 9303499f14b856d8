import { describe, expect, it } from 'vitest'
import { Histogram } from '../../src/lib/histogram.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import { RequestFigures } from '../../src/telemetry/request-figures.ts'
import { ManualClock } from '../helpers/clock.ts'
import type { Figures } from '../../src/store/store.ts'
import type { MetricsDeps } from '../../src/telemetry/metrics.ts'

const FIGURES: Figures = {
  users: 5,
  connectedUsers: 4,
  connections: 3,
  channels: 2,
  messages: 100,
  deliveries: 7,
}
const TRAFFIC = {
  ...{ connections: 2, guests: 1, heldBytes: 7, events: 9, writes: 8, bytes: 6, slow: 0 },
  ...{ opened: { stream: 3, poll: 4 }, resumed: 1, caughtUp: 2, gaps: { stream: 0, poll: 0 } },
  seconds: new Histogram([1]).view(),
}
const OF_THE_STORE = ['users', 'connected_users', 'connections', 'channels', 'messages_total']

/** Metrics of a store that answers when the test says so. */
class Bench {
  readonly clock = new ManualClock()
  readonly faults: unknown[] = []
  readonly waiting: Question[] = []
  trafficCalls = 0
  readonly #deps: MetricsDeps = {
    traffic: () => {
      this.trafficCalls++
      return TRAFFIC
    },
    figures: () => new Promise((resolve, reject) => void this.waiting.push({ resolve, reject })),
    process: () => ({ faults: 0, droppedLines: 3 }),
    userRefusals: () => ({ connections: 4, channels: 0, messages: 5 }),
    sockets: () => ({
      open: 4,
      most: Infinity,
      refused: { total: 1, open_files: 0, address: 2, rate: 3 },
      isOutOfFiles: false,
    }),
    webhookCounts: () => undefined,
    webhooks: () => undefined,
    requests: new RequestFigures(),
    closings: { samples: () => [] },
  }
  readonly metrics = new Metrics(this.#deps, this.clock, (fault) => this.faults.push(fault))

  /** Starts a scrape. Resolves when the store has been asked. */
  async begin(): Promise<{ readonly found: Promise<Map<string, number>> }> {
    const before = this.waiting.length
    const found = this.metrics.expose().then(({ text }) => read(text))
    // Loading the library takes several turns of the event loop.
    while (this.waiting.length === before) await new Promise(setImmediate)
    return { found }
  }
}

interface Question {
  readonly resolve: (figures: Figures) => void
  readonly reject: (error: unknown) => void
}

function read(text: string): Map<string, number> {
  const lines = [...text.matchAll(/^(?:channelstream_)?(\w+) (\S+)$/gm)]
  return new Map(lines.map(([, name = '', value]) => [name, Number(value)]))
}

describe('the metrics', () => {
  it('have a value for each reason why sockets are refused, and infinity for no limit', async () => {
    const bench = new Bench()
    for (let scrapes = 0; scrapes < 2; scrapes++) {
      const text = bench.metrics.expose()
      while (bench.waiting.length === scrapes) await new Promise(setImmediate)
      bench.waiting[scrapes]?.resolve(FIGURES)
      const lines = (await text).text.split('\n')
      expect(lines).toContain('channelstream_refused_sockets_total{reason="address"} 2')
      expect(lines).toContain('channelstream_refused_sockets_total{reason="open_files"} 0')
      expect(lines).toContain('channelstream_user_refusals_total{limit="messages"} 5')
      expect(lines).toContain('channelstream_user_refusals_total{limit="channels"} 0')
      expect(lines).toContain('channelstream_max_sockets +Inf')
      expect(lines).toContain('channelstream_open_sockets 4')
      expect(lines).toContain('channelstream_out_of_files 0')
    }
  })

  it('ask the store once a scrape, and look at the connections once', async () => {
    const bench = new Bench()
    const scrape = await bench.begin()
    bench.waiting[0]?.resolve(FIGURES)
    const found = await scrape.found
    expect(bench.waiting).toHaveLength(1)
    expect(bench.trafficCalls).toBe(1)
    expect(Object.fromEntries(found)).toMatchObject({
      ...{ users: 5, connected_users: 4, connections: 3, channels: 2, messages_total: 100 },
      ...{ open_connections: 2, guests: 1, held_bytes: 7, delivered_events_total: 9 },
      ...{ delivered_batches_total: 8, delivered_bytes_total: 6, slow_readers_total: 0 },
      store_up: 1,
    })
  })

  it('are right for each of several scrapes that overlap', async () => {
    const bench = new Bench()
    const first = await bench.begin()
    const others = [bench.metrics.expose(), bench.metrics.expose()]
    bench.waiting[0]?.resolve(FIGURES)
    const expositions = await Promise.all(others)
    for (const found of [await first.found, ...expositions.map(({ text }) => read(text))]) {
      expect(found.get('messages_total')).toBe(100)
      expect(found.get('delivered_events_total')).toBe(9)
    }
    const later = await bench.begin()
    bench.waiting[1]?.resolve({ ...FIGURES, messages: 101 })
    expect((await later.found).get('messages_total')).toBe(101)
  })

  it('leave out those of a store that does not answer, and have all others', async () => {
    const bench = new Bench()
    const known = await bench.begin()
    bench.waiting[0]?.resolve(FIGURES)
    expect((await known.found).get('users')).toBe(5)

    const scrape = await bench.begin()
    const gone = new Error('gone')
    bench.waiting[1]?.reject(gone)
    const found = await scrape.found
    expect(found.get('store_up')).toBe(0)
    for (const name of OF_THE_STORE) expect(found.has(name), name).toBe(false)
    expect(found.get('delivered_events_total')).toBe(9)
    expect(found.get('process_resident_memory_bytes')).toBeGreaterThan(0)
    expect(bench.faults).toEqual([gone])

    const again = await bench.begin()
    bench.waiting[2]?.resolve(FIGURES)
    expect(Object.fromEntries(await again.found)).toMatchObject({ store_up: 1, users: 5 })
  })

  it('do not wait longer than two seconds for a store', async () => {
    const bench = new Bench()
    const scrape = await bench.begin()
    let isAnswered = false
    void scrape.found.then(() => (isAnswered = true))
    await bench.clock.advance(1_999)
    expect(isAnswered).toBe(false)
    await bench.clock.advance(1)
    const found = await scrape.found
    expect(found.get('store_up')).toBe(0)
    expect(found.has('users')).toBe(false)
    bench.waiting[0]?.reject(new Error('too late to matter'))
    const again = await bench.begin()
    bench.waiting[1]?.resolve(FIGURES)
    expect((await again.found).get('store_up')).toBe(1)
    expect(bench.clock.pending).toBe(0)
  })
})

/** One endpoint, with a queue in memory and answers that the test gives. */
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/store/memory/store.ts'
import { StoreUnavailable } from '../../src/store/store.ts'
import { MAX_EVENTS_PER_REQUEST } from '../../src/webhooks/bodies.ts'
import { endpointOf } from '../../src/webhooks/endpoint.ts'
import { Sender } from '../../src/webhooks/sender.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { connIdOf, connect, message } from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import type { WebhookEvent, WebhookRequest } from '../../src/protocol/webhooks.ts'
import type { WebhookQueue } from '../../src/store/webhook-queue.ts'
import type { PostFailure } from '../../src/webhooks/http-post.ts'

interface Posted {
  readonly events: readonly WebhookEvent[]
  readonly answer: (failure?: Partial<PostFailure>) => void
}

const FAILED: PostFailure = { reason: 'status 500', result: '500', retryAfterMs: undefined }

class Bench {
  readonly clock = new ManualClock()
  readonly store: MemoryStore
  readonly posted: Posted[] = []
  /** Requests without an answer. */
  open = 0
  readonly log: string[] = []
  readonly faults: unknown[] = []
  readonly sender: Sender

  constructor({
    connections = 1,
    maxEvents = 1000,
    wrap = (queue: WebhookQueue): WebhookQueue => queue,
  } = {}) {
    const rules = {
      events: ['user_online', 'joined', 'message'] as const,
      channels: [],
      maxEvents,
      maxBytes: 1e9,
    }
    this.store = new MemoryStore(this.clock, { ...CONTRACT_OPTIONS, webhooks: rules })
    const queue = wrap(this.store.webhookQueue as WebhookQueue)
    this.sender = new Sender({
      endpoint: endpointOf('http://user:pass@backend.test/hook?key=secret'),
      queue,
      http: { post: (body) => this.#post(body), close: async () => {} },
      clock: this.clock,
      logger: {
        warn: (text: string) => void this.log.push(`warn ${text}`),
        info: (text: string) => void this.log.push(`info ${text}`),
      },
      connections,
      installation: 'test',
      onFault: (fault) => this.faults.push(fault),
    })
    queue.onAdded(() => this.sender.added())
    this.sender.start()
  }

  /** Starts, and answers the first request, which tells to read the current state. */
  static async begun(options?: ConstructorParameters<typeof Bench>[0]): Promise<Bench> {
    const bench = new Bench(options)
    await bench.advance(0)
    bench.posted[0]?.answer()
    await bench.advance(100)
    bench.posted.length = 0
    return bench
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
    // Chains of promises between two timers.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }

  /** The texts of the messages in each request. */
  get texts(): string[][] {
    return this.posted.map(({ events }) =>
      events.map((event) =>
        event.type === 'message' ? (event.message.message as { text: string }).text : event.type,
      ),
    )
  }

  say(channel: string, ...texts: string[]): void {
    void this.store.publish(texts.map((text) => message(channel, { text })))
  }

  async #post(body: string): Promise<PostFailure | undefined> {
    this.open++
    const { events } = JSON.parse(body) as WebhookRequest
    const failure = await new Promise<Partial<PostFailure> | undefined>((answer) =>
      this.posted.push({ events, answer }),
    )
    this.open--
    return failure && { ...FAILED, ...failure }
  }
}

describe('the sender of a webhook', () => {
  it('begins by telling to read the current state', async () => {
    const bench = new Bench()
    await bench.advance(0)
    expect(bench.posted.map(({ events }) => events)).toMatchObject([
      [{ type: 'resync', reason: 'started', dropped: 0, subject: 'installation' }],
    ])
  })

  it('gathers events for 50 ms', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann', { channels: ['a'] })
    await bench.advance(49)
    expect(bench.posted).toEqual([])
    bench.say('a', 'one', 'two')
    await bench.advance(1)
    expect(bench.texts).toEqual([['user_online', 'joined', 'one', 'two']])
  })

  it('sends at most a hundred events in a request, and the next after its answer', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann', { channels: ['a'] })
    bench.say('a', ...Array.from({ length: 248 }, (_, at) => String(at)))
    await bench.advance(50)
    expect(bench.texts.map(({ length }) => length)).toEqual([MAX_EVENTS_PER_REQUEST])
    bench.posted[0]?.answer()
    await bench.advance(0)
    expect(bench.texts.map(({ length }) => length)).toEqual([100, 100])
    bench.posted[1]?.answer()
    await bench.advance(0)
    bench.posted[2]?.answer()
    await bench.advance(100)
    expect(bench.texts.flat().slice(2)).toEqual(Array.from({ length: 248 }, (_, at) => String(at)))
    expect(bench.sender.counts()).toEqual({ deliveredEvents: 251, requests: { ok: 4 } })
  })

  it('sends large events in requests of their own', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann', { channels: ['a'] })
    bench.say('a', 'x'.repeat(700_000), 'y'.repeat(700_000), 'z'.repeat(2_000_000))
    for (let request = 0; request < 3; request++) {
      await bench.advance(50)
      bench.posted[request]?.answer()
    }
    expect(bench.texts.map((texts) => texts.map(([first]) => first))).toEqual([
      ['u', 'j', 'x'],
      ['y'],
      ['z'],
    ])
  })

  it('repeats a failed request with the same events, ever more slowly, and keeps the rest waiting', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann')
    await bench.advance(50)
    const waits: number[] = []
    for (let failure = 0; failure < 9; failure++) {
      bench.posted.at(-1)?.answer(FAILED)
      const before = bench.posted.length
      let waited = 0
      await bench.advance(0)
      while (bench.posted.length === before) {
        await bench.advance(250)
        waited += 250
      }
      waits.push(waited)
    }
    await connect(bench.store, 'bob', { id: 2 })
    await bench.advance(1000)
    expect(new Set(bench.posted.map(({ events }) => events[0]?.id)).size).toBe(1)
    for (const [index, wait] of waits.entries()) {
      const middle = Math.min(1000 * 2 ** index, 60_000)
      expect(wait).toBeGreaterThanOrEqual(middle * 0.75)
      expect(wait).toBeLessThanOrEqual(middle * 1.25 + 250)
    }
    bench.posted.at(-1)?.answer()
    await bench.advance(100)
    expect(bench.posted.at(-1)?.events).toMatchObject([{ type: 'user_online', user: 'bob' }])
  })

  it('waits as long as the endpoint asks for', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann')
    await bench.advance(50)
    bench.posted[0]?.answer({ retryAfterMs: 7000 })
    await bench.advance(6999)
    expect(bench.posted).toHaveLength(1)
    await bench.advance(1)
    expect(bench.posted).toHaveLength(2)
  })

  it('never has two requests with the same subject at the same time', async () => {
    const bench = await Bench.begun({ connections: 4 })
    const channels = Array.from({ length: 20 }, (_, at) => `room ${at}`)
    await connect(bench.store, 'ann', { channels })
    for (const channel of channels) bench.say(channel, 'one', 'two', 'three')
    await bench.advance(50)
    expect(bench.open).toBeGreaterThan(1)
    expect(bench.open).toBeLessThanOrEqual(4)
    const subjects = bench.posted.map(({ events }) => new Set(events.map(({ subject }) => subject)))
    const all = subjects.flatMap((set) => [...set])
    expect(new Set(all).size).toBe(all.length)
    // One of them fails. The next events wait for it.
    const [first, ...others] = [...bench.posted]
    for (const other of others) other.answer()
    for (const channel of channels) bench.say(channel, 'four')
    first?.answer(FAILED)
    await bench.advance(500)
    expect(bench.texts.flat()).not.toContain('four')
    await bench.advance(1000)
    bench.posted.at(-1)?.answer()
    await bench.advance(100)
    expect(bench.texts.flat().filter((text) => text === 'four')).toHaveLength(20)
  })

  it('logs a failure once, then once a minute, and the end of failures', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann')
    await bench.advance(50)
    for (let failure = 0; failure < 40; failure++) {
      bench.posted.at(-1)?.answer({ retryAfterMs: 3000 })
      await bench.advance(3000)
    }
    bench.posted.at(-1)?.answer()
    await bench.advance(100)
    expect(bench.log[0]).toBe(
      'warn the webhook http://backend.test/hook failed: status 500. Events wait; the next attempt is in 3.0 s',
    )
    expect(bench.log).toHaveLength(3)
    expect(bench.log[1]).toContain('(21 times in a row)')
    expect(bench.log[2]).toBe(
      'info the webhook http://backend.test/hook works again, after 40 failed requests',
    )
    expect(bench.log.join()).not.toMatch(/pass|secret/)
  })

  it('tells how many events it had to drop, before those that it has', async () => {
    const bench = await Bench.begun({ maxEvents: 10 })
    await connect(bench.store, 'ann', { channels: ['a'] })
    await bench.advance(50)
    bench.posted[0]?.answer({ retryAfterMs: 1000 })
    await bench.advance(0)
    bench.say('a', ...Array.from({ length: 30 }, (_, at) => String(at)))
    await bench.advance(1000)
    bench.posted[1]?.answer()
    await bench.advance(100)
    const [resync] = bench.posted[2]?.events ?? []
    expect(bench.posted[2]?.events).toHaveLength(1)
    bench.posted[2]?.answer()
    await bench.advance(100)
    const last = bench.texts[3] ?? []
    expect(last.at(-1)).toBe('29')
    // The two that were on their way when they were dropped are counted as well.
    expect(resync).toMatchObject({ type: 'resync', reason: 'dropped', dropped: 32 - last.length })
  })

  it('sends what is queued before it stops', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann', { channels: ['a'] })
    let isStopped = false
    const stopped = bench.sender.stop(5000).then(() => (isStopped = true))
    await bench.advance(0)
    expect(bench.texts).toEqual([['user_online', 'joined']])
    bench.posted[0]?.answer(FAILED)
    await bench.advance(500)
    expect(isStopped).toBe(false)
    bench.posted[1]?.answer()
    await bench.advance(100)
    await stopped
    expect(bench.log.filter((line) => line.includes('misses'))).toEqual([])
  })

  it('gives up when the time to stop is over, and says how many events are lost', async () => {
    const bench = await Bench.begun()
    await connect(bench.store, 'ann', { channels: ['a'] })
    const stopped = bench.sender.stop(5000)
    for (let half = 0; half <= 10; half++) {
      bench.posted.at(-1)?.answer(FAILED)
      await bench.advance(500)
    }
    await stopped
    expect(bench.log.at(-1)).toBe(
      'warn the server stops, and the webhook http://backend.test/hook misses 2 events',
    )
  })

  it('goes on when the store is back', async () => {
    let isAway = false
    const check = (): void => {
      if (isAway) throw new StoreUnavailable()
    }
    const bench = await Bench.begun({
      wrap: (queue) =>
        new Proxy(queue, {
          get(target, key) {
            const value = Reflect.get(target, key) as unknown
            if (typeof value !== 'function') return value
            return (...args: unknown[]) => {
              if (key !== 'onAdded') check()
              return (value as (...given: unknown[]) => unknown).apply(target, args)
            }
          },
        }),
    })
    isAway = true
    await connect(bench.store, 'ann', { id: 1 })
    await bench.advance(5000)
    expect(bench.posted).toEqual([])
    isAway = false
    await bench.advance(2000)
    expect(bench.texts).toEqual([['user_online']])
    isAway = true
    bench.posted[0]?.answer()
    await bench.advance(5000)
    isAway = false
    await bench.advance(2000)
    // Whether the store has the confirmation is unknown: at least once.
    expect(bench.texts).toEqual([['user_online'], ['user_online']])
    bench.posted[1]?.answer()
    await bench.advance(2000)
    bench.store.drop(connIdOf(1))
    expect(bench.faults).toEqual([])
    expect(bench.posted).toHaveLength(2)
  })
})

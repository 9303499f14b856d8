/** The guarantees of every `WebhookQueue`, and of a store about what it appends to its queue. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { WEBHOOK_EVENT_TYPES } from '../../src/protocol/webhooks.ts'
import { ManualClock } from '../helpers/clock.ts'
import {
  channelName,
  channelNames,
  connIdOf,
  connect,
  edit,
  inSeveral,
  message,
  retraction,
  settingsMap,
  uuidOf,
  whisper,
} from './fixtures.ts'
import type { WebhookEvent } from '../../src/protocol/webhooks.ts'
import type { Awaitable, Store } from '../../src/store/store.ts'
import type { QueuePart, WebhookQueue, WebhookRules } from '../../src/store/webhook-queue.ts'

export interface StoreWithQueue {
  readonly store: Store
  readonly queue: WebhookQueue
}

/** Creates an empty store with `CONTRACT_OPTIONS` and these rules. */
export type OpenWithQueue = (clock: ManualClock, rules: WebhookRules) => Awaitable<StoreWithQueue>

const RULES: WebhookRules = {
  events: WEBHOOK_EVENT_TYPES,
  channels: [],
  maxEvents: 1000,
  maxBytes: 1_000_000,
}
const ALL = { mostEvents: 1000, mostBytes: 10_000_000 }
const ENDPOINT = 'endpoint'

/** Reads without confirming. Throws if another server is the sender. */
async function read(queue: WebhookQueue, limits = ALL, endpoint = ENDPOINT): Promise<QueuePart> {
  const part = await queue.read(endpoint, limits)
  if (part === 'elsewhere') throw new Error('another server sends to the endpoint')
  return part
}

const eventsIn = ({ events }: QueuePart): WebhookEvent[] =>
  events.map(({ text }) => JSON.parse(text) as WebhookEvent)

/** Without the members that differ in each run. */
const factsIn = (part: QueuePart) =>
  eventsIn(part).map((event) => {
    const facts = Object.entries(event).filter(([key]) => !['id', 'time', 'seq'].includes(key))
    return Object.fromEntries(facts)
  })

/** Type and name of each event. */
const linesIn = (part: QueuePart): string[] =>
  eventsIn(part).map((event) => {
    const names = [
      'channel' in event ? event.channel : undefined,
      'user' in event ? event.user : undefined,
    ]
    return [event.type, ...names.filter((name) => name !== undefined)].join(' ')
  })

export function webhookContract(name: string, open: OpenWithQueue): void {
  async function openQueue(rules: Partial<WebhookRules> = {}) {
    const clock = new ManualClock()
    const { store, queue } = await open(clock, { ...RULES, ...rules })
    onTestFinished(async () => {
      await store.stop()
    })
    // The endpoint is known, and has been told to read the current state.
    await queue.confirm(ENDPOINT, await read(queue))
    return { store, queue, clock }
  }

  describe(`the queue of webhooks: ${name}`, () => {
    it('has who comes and goes, in the order of changes about each of them', async () => {
      const { store, queue } = await openQueue()
      await connect(store, 'ann', { id: 1, channels: ['a', 'b'] })
      await connect(store, 'ann', { id: 2, channels: ['a'] })
      await connect(store, 'bob', { id: 3, channels: ['a'] })
      await store.leave(connIdOf(3), channelNames('a'))
      await store.join(connIdOf(3), channelNames('c'), settingsMap({}))
      await store.drop(connIdOf(1))
      await store.drop(connIdOf(2))
      const part = await read(queue)
      const typesOf = (wanted: string) =>
        eventsIn(part).flatMap(({ subject, type }) => (subject === wanted ? [type] : []))
      expect(typesOf('user:ann')).toEqual(['user_online', 'user_offline'])
      expect(typesOf('user:bob')).toEqual(['user_online'])
      expect(linesIn(part).filter((line) => / a( |$)/.test(line))).toEqual([
        'channel_created a',
        'channel_occupied a',
        'joined a ann',
        'joined a bob',
        'parted a bob',
        'parted a ann',
        'channel_vacated a',
      ])
      const visited = ['channel_created', 'channel_occupied', 'joined']
      expect(typesOf('channel:b')).toEqual([...visited, 'parted', 'channel_vacated'])
      expect(typesOf('channel:c')).toEqual(visited)
      expect(part.events).toHaveLength(18)
    })

    it('has channels that are made in other ways, and those that are collected', async () => {
      const { store, queue, clock } = await openQueue()
      await store.configure(settingsMap({ configured: {} }))
      await store.ensure(channelNames('ensured'))
      await store.configure(settingsMap({ configured: { notify_presence: true } }))
      await clock.advance(31_000)
      await store.sweep()
      const lines = linesIn(await read(queue))
      expect(lines.slice(0, 2)).toEqual(['channel_created configured', 'channel_created ensured'])
      expect(lines.slice(2).toSorted()).toEqual([
        'channel_collected configured',
        'channel_collected ensured',
      ])
    })

    it('has a connection that the sweep ends, like any other', async () => {
      const { store, queue, clock } = await openQueue()
      await connect(store, 'ann', { channels: ['a'], waitMs: 1000 })
      await queue.confirm(ENDPOINT, await read(queue))
      await clock.advance(1400)
      for (const due of await store.sweep()) await store.drop(due, { onlyIfDue: true })
      expect(linesIn(await read(queue))).toEqual([
        'parted a ann',
        'channel_vacated a',
        'user_offline ann',
      ])
    })

    it('has messages, edits and deletes with their content and receivers', async () => {
      const { store, queue } = await openQueue({ events: ['message'] })
      await connect(store, 'ann', {
        channels: ['a'],
        configs: { a: { store_history: true } },
      })
      const uuid = uuidOf(7)
      await store.publish([
        message('a', { uuid, text: 'to "all" \\ é', excludeUsers: ['bob'] }),
        message('unknown', { text: 'nobody' }),
      ])
      await store.publish([edit('a', { uuid, text: 'better' }), retraction('a', { uuid })])
      await store.publish([whisper(['ann'], { text: 'to ann' })])
      const facts = factsIn(await read(queue))
      expect(facts).toMatchObject([
        {
          type: 'message',
          subject: 'channel:a',
          channel: 'a',
          message: { type: 'message', uuid, message: { text: 'to "all" \\ é' }, channel: 'a' },
          pm_users: [],
          exclude_users: ['bob'],
        },
        // The audience of the message.
        { message: { type: 'message:edit', message: { text: 'better' } }, exclude_users: ['bob'] },
        { message: { type: 'message:delete', uuid } },
        {
          subject: 'private',
          channel: null,
          message: { message: { text: 'to ann' } },
          pm_users: ['ann'],
        },
      ])
      expect(facts).toHaveLength(4)
    })

    it('has a message to several channels once for each that is known', async () => {
      const { store, queue } = await openQueue({ events: ['message'] })
      await store.configure(settingsMap({ a: {}, '"b"': {} }))
      const uuid = uuidOf(7)
      await store.publish([
        inSeveral(['a', 'unknown', '"b"'], message('a', { uuid, text: 'to all' })),
        inSeveral(['"b"', 'a'], edit('a', { uuid, text: 'better' })),
      ])
      const facts = factsIn(await read(queue))
      expect(facts).toMatchObject(
        ['a', '"b"', '"b"', 'a'].map((channel, index) => ({
          subject: `channel:${channel}`,
          channel,
          message: { uuid, channel, message: { text: index < 2 ? 'to all' : 'better' } },
        })),
      )
      expect(facts).toHaveLength(4)
    })

    it('has clients that were too slow', async () => {
      const { queue } = await openQueue()
      await queue.addSlowClient({ user: 'ann', connId: connIdOf(1), waitingBytes: 12 })
      await queue.addSlowClient({ user: 'guest', connId: null, waitingBytes: 34 })
      expect(factsIn(await read(queue))).toEqual([
        {
          type: 'slow_client',
          subject: `connection:${connIdOf(1)}`,
          ...{ user: 'ann', conn_id: connIdOf(1), waiting_bytes: 12 },
        },
        {
          type: 'slow_client',
          subject: 'philote:guest',
          ...{ user: 'guest', conn_id: null, waiting_bytes: 34 },
        },
      ])
    })

    it('has only the events and the channels that are asked for', async () => {
      const { store, queue } = await openQueue({
        events: ['joined', 'message', 'user_online'],
        channels: ['chat-*', 'lobby'],
      })
      const channels = ['chat-1', 'chat', 'lobby', 'lobby-2', 'a chat-1']
      await connect(store, 'ann', { channels })
      await store.publish(channels.map((channel) => message(channel)))
      await store.publish([whisper(['ann'])])
      expect(linesIn(await read(queue))).toEqual([
        'user_online ann',
        'joined chat-1 ann',
        'joined lobby ann',
        'message chat-1',
        'message lobby',
        'message ',
      ])
    })

    it('numbers the events of a subject one by one, and never goes back', async () => {
      const { store, queue, clock } = await openQueue({
        events: ['joined', 'parted', 'user_online'],
      })
      await connect(store, 'ann', { id: 1, channels: ['a', 'b'] })
      for (let round = 0; round < 3; round++) {
        await store.leave(connIdOf(1), channelNames('a'))
        await store.join(connIdOf(1), channelNames('a'), settingsMap({}))
      }
      const ofA = (events: WebhookEvent[]) =>
        events.filter(({ subject }) => subject === 'channel:a')
      const first = ofA(eventsIn(await read(queue)))
      expect(first).toHaveLength(7)
      const seqs = first.map(({ seq }) => seq)
      expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index))
      expect(new Set(first.map(({ id }) => id)).size).toBe(7)
      // The channel is forgotten and created again.
      await store.drop(connIdOf(1))
      await clock.advance(31_000)
      await store.sweep()
      await connect(store, 'ann', { id: 2, channels: ['a'] })
      const later = ofA(eventsIn(await read(queue))).slice(7)
      const all = [...seqs, ...later.map(({ seq }) => seq)]
      expect(all).toEqual([...new Set(all)].sort((one, other) => one - other))
      expect(later).toHaveLength(2)
    })

    it('has the time of each event, and ids with the epoch', async () => {
      const { store, queue, clock } = await openQueue()
      await clock.advance(1234)
      await connect(store, 'ann')
      const [event] = eventsIn(await read(queue))
      expect(event).toMatchObject({ type: 'user_online', time: Math.floor(clock.wallTime()) })
      expect(event?.id).toMatch(new RegExp(`^${queue.epoch}-\\d+$`))
    })

    it('keeps events until each endpoint has confirmed them', async () => {
      const { store, queue } = await openQueue({ events: ['user_online'] })
      await queue.confirm('other', await read(queue, ALL, 'other'))
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'bob', { id: 2 })
      const part = await read(queue, { ...ALL, mostEvents: 1 })
      expect(linesIn(part)).toEqual(['user_online ann'])
      expect(linesIn(await read(queue))).toEqual(['user_online ann', 'user_online bob'])
      expect(await queue.confirm(ENDPOINT, part)).toBe(true)
      expect(linesIn(await read(queue))).toEqual(['user_online bob'])
      expect(linesIn(await read(queue, ALL, 'other'))).toHaveLength(2)
      const figures = await queue.figures([ENDPOINT, 'other'])
      expect([figures.get(ENDPOINT)?.queued, figures.get('other')?.queued]).toEqual([1, 2])
      await queue.confirm(ENDPOINT, await read(queue))
      expect(await read(queue)).toMatchObject({ events: [], resync: undefined })
    })

    it('returns parts of about the requested size, and at least one event', async () => {
      const { store, queue } = await openQueue({ events: ['message'] })
      await connect(store, 'ann', { channels: ['a'] })
      await store.publish(
        Array.from({ length: 40 }, () => message('a', { text: 'x'.repeat(1000) })),
      )
      const part = await read(queue, { mostEvents: 100, mostBytes: 20_000 })
      expect(part.events.length).toBeGreaterThan(10)
      expect(part.events.length).toBeLessThan(20)
      expect((await read(queue, { mostEvents: 30, mostBytes: 1e9 })).events).toHaveLength(30)
      expect((await read(queue, { mostEvents: 30, mostBytes: 1 })).events).toHaveLength(1)
    })

    it('tells a new endpoint to read the current state, and begins with what is queued', async () => {
      const { store, queue } = await openQueue({ events: ['user_online'] })
      await connect(store, 'ann', { id: 1 })
      await queue.confirm(ENDPOINT, await read(queue))
      const part = await read(queue, ALL, 'new')
      expect(part).toMatchObject({ events: [], resync: { reason: 'started', dropped: 0 } })
      await connect(store, 'bob', { id: 2 })
      const next = await read(queue, ALL, 'new')
      expect(next).toMatchObject({ resync: { reason: 'started' } })
      expect(linesIn(next)).toEqual(['user_online bob'])
      await queue.confirm('new', next)
      expect(await read(queue, ALL, 'new')).toMatchObject({ events: [], resync: undefined })
    })

    it('drops the oldest when it has too many, and tells each endpoint how many it misses', async () => {
      const { store, queue } = await openQueue({ events: ['message'], maxEvents: 100 })
      await queue.confirm('ahead', await read(queue, ALL, 'ahead'))
      await connect(store, 'ann', { channels: ['a'] })
      const publish = (from: number, count: number) =>
        store.publish(
          Array.from({ length: count }, (_, at) => message('a', { text: String(from + at) })),
        )
      await publish(0, 60)
      await queue.confirm('ahead', await read(queue, ALL, 'ahead'))
      await publish(60, 140)
      const numbersIn = (part: QueuePart) =>
        eventsIn(part).map((event) =>
          event.type === 'message' ? Number((event.message.message as { text: string }).text) : -1,
        )
      for (const [endpoint, before] of [
        [ENDPOINT, 0],
        ['ahead', 60],
      ] as const) {
        const part = await read(queue, ALL, endpoint)
        const numbers = numbersIn(part)
        expect(numbers.length).toBeGreaterThanOrEqual(89)
        expect(numbers.length).toBeLessThanOrEqual(100)
        expect(numbers.at(-1)).toBe(199)
        const dropped = (numbers[0] ?? 0) - before
        expect(part.resync).toEqual({ reason: 'dropped', dropped })
        expect((await queue.figures([endpoint])).get(endpoint)).toMatchObject({ dropped })
        await queue.confirm(endpoint, part)
        expect(await read(queue, ALL, endpoint)).toMatchObject({ events: [], resync: undefined })
      }
    })

    it('drops the oldest when they are too large', async () => {
      const { store, queue } = await openQueue({ events: ['message'], maxBytes: 100_000 })
      await connect(store, 'ann', { channels: ['a'] })
      for (let number = 0; number < 40; number++)
        await store.publish([message('a', { text: `${number} ${'x'.repeat(10_000)}` })])
      const part = await read(queue)
      expect(part.events.length).toBeGreaterThan(1)
      expect(part.events.length).toBeLessThan(10)
      expect(part.resync?.dropped).toBe(40 - part.events.length)
      await store.publish([message('a', { text: 'x'.repeat(200_000) })])
      await store.publish([message('a', { text: 'small' })])
      expect((await read(queue)).events).toHaveLength(1)
    })

    it('counts what is dropped after an endpoint was told of drops', async () => {
      const { store, queue } = await openQueue({ events: ['message'], maxEvents: 10 })
      await connect(store, 'ann', { channels: ['a'] })
      const publish = (count: number) =>
        store.publish(Array.from({ length: count }, () => message('a')))
      await publish(20)
      const part = await read(queue)
      await publish(20)
      await queue.confirm(ENDPOINT, part)
      const next = await read(queue)
      const told = (part.resync?.dropped ?? 0) + (next.resync?.dropped ?? 0)
      expect(told).toBe(40 - next.events.length)
    })

    it('calls the listener when an endpoint that had read everything has an event again', async () => {
      const { store, queue } = await openQueue({ events: ['user_online'] })
      let calls = 0
      const called = new Promise<void>((resolve) =>
        queue.onAdded(() => {
          calls++
          resolve()
        }),
      )
      expect((await read(queue)).events).toEqual([])
      await connect(store, 'ann')
      await called
      expect(calls).toBeGreaterThan(0)
    })

    it('keeps the status of an endpoint', async () => {
      const { queue } = await openQueue()
      const status = { failures: 2, lastError: 'status "503"', lastErrorAt: 5, lastSuccessAt: null }
      expect(await queue.note(ENDPOINT, status)).toBe(true)
      expect((await queue.figures([ENDPOINT])).get(ENDPOINT)?.status).toEqual(status)
      expect((await queue.figures(['never seen'])).get('never seen')).toMatchObject({
        queued: 0,
        dropped: 0,
        status: undefined,
      })
    })

    it('has names of any characters', async () => {
      const { store, queue } = await openQueue({ channels: ['"\\ü %d *'] })
      const odd = '"\\ü %d \u{1f600}/'
      await connect(store, odd, { channels: [odd] })
      const joined = eventsIn(await read(queue)).find(({ type }) => type === 'joined')
      expect(joined).toMatchObject({
        channel: channelName(odd),
        user: odd,
        subject: `channel:${odd}`,
      })
    })
  })
}

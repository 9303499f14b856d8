/** Several restarts, one after the other, before a new state is written. */
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import {
  attach,
  channelName,
  connIdOf,
  connect,
  message,
  settingsMap,
  textsOf,
} from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { freshDirectory, openDiskStore } from '../helpers/disk-store.ts'
import { rewriteHead } from '../helpers/rewrite-head.ts'
import type { DiskOptions } from '../../src/store/disk/options.ts'
import type { DiskStore } from '../../src/store/disk/store.ts'
import type { WebhookRules } from '../../src/store/webhook-queue.ts'

const ROOM = channelName('room')
const TOPIC = channelTopic(ROOM)
const ANN = connIdOf(1)
const SESSIONS = { lifetimeMs: 100_000, maxSessions: 10 }

/** A store that is opened again and again on one directory. `isCompacted`: a new state is written before each end. */
class Restarting {
  readonly clock = new ManualClock()
  directory = freshDirectory()
  #store: DiskStore | undefined

  constructor(private readonly isCompacted: boolean) {}

  async open(options: Partial<DiskOptions> = {}): Promise<DiskStore> {
    const { clock, directory } = this
    return (this.#store = await openDiskStore({ directory, clock, onNote: () => {}, ...options }))
  }

  async end(): Promise<void> {
    if (this.isCompacted) await this.#store?.compact()
    await this.#store?.stop()
  }

  async again(options?: Partial<DiskOptions>): Promise<DiskStore> {
    await this.end()
    return this.open(options)
  }

  /** The machine fails, and is started again. */
  async fail(): Promise<void> {
    const copy = freshDirectory()
    cpSync(this.directory, copy, { recursive: true, filter: (path) => !path.endsWith('lock') })
    await this.#store?.stop()
    this.directory = copy
    rewriteHead(join(copy, 'log-00000001'), { boot: 'another one' })
  }
}

const textsSince = async (store: DiskStore, after: number): Promise<unknown[]> =>
  textsOf((await store.missed([{ topic: TOPIC, after }])).events)

describe.each([{ isCompacted: false }, { isCompacted: true }])(
  'restarts (new state written: $isCompacted)',
  ({ isCompacted }) => {
    const restarting = () => new Restarting(isCompacted)

    it('lose nothing that is said between two of them for a stream that comes back after both', async () => {
      const scene = restarting()
      const first = await scene.open()
      await connect(first, 'ann', { channels: ['room'] })
      await attach(first, ANN)
      await first.publish([message('room', { text: 'heard' })])
      const second = await scene.again()
      await second.publish([message('room', { text: 'between' })])
      const third = await scene.again()
      await third.publish([message('room', { text: 'later' })])
      const { cursor = 0 } = (await attach(third, ANN)) ?? {}
      expect(await textsSince(third, cursor)).toEqual(['between', 'later'])
      await third.stop()
    })

    it.each([
      { does: 'something', isBusy: true },
      { does: 'nothing', isBusy: false },
    ])('count the time between them once each, if the server does $does', async ({ isBusy }) => {
      const scene = restarting()
      const first = await scene.open()
      const settings = { store_history: true, history_ttl: 100, store_frames: true }
      await first.configure(settingsMap({ room: settings }))
      await first.publish([message('room', { text: 'old' })])
      await first.adminSessions(SESSIONS).open('session')
      const isKept = async (store: DiskStore): Promise<boolean[]> => {
        const [room] = await store.channels([ROOM], { users: false, history: true })
        const sessions = store.adminSessions(SESSIONS)
        return [(room?.history.length ?? 0) > 0, sessions.isAnyOpen(['session'])]
      }
      for (const [downMs, kept] of [
        [40_000, true],
        [0, true],
        [40_000, true],
        [0, true],
        [30_000, false],
        [0, false],
      ] as const) {
        await scene.end()
        scene.clock.leap(downMs)
        const store = await scene.open()
        expect(await isKept(store)).toEqual([kept, kept])
        if (isBusy) await store.ensure([channelName('other')])
      }
      await scene.end()
    })
  },
)

describe('a loss', () => {
  it('is told to those who come back after a second restart', async () => {
    const scene = new Restarting(false)
    const first = await scene.open({ sync: 'interval' })
    await connect(first, 'ann', { channels: ['room'] })
    await first.publish([message('room', { text: 'heard' })])
    const { cursor: seen = 0 } = (await attach(first, ANN)) ?? {}
    await scene.fail()
    const second = await scene.open()
    const { epoch } = second
    const third = await scene.again()
    expect(third.epoch).toBe(epoch)
    const { gaps, head } = await third.missed([{ topic: TOPIC, after: seen }])
    expect(gaps).toEqual([TOPIC])
    // The number after the newest one is not given again.
    await third.publish([message('room', { text: 'later' })])
    const { events } = await third.missed([{ topic: TOPIC, after: head }])
    expect(events.map(({ n }) => n)).toEqual([head + 1])
    expect(head).toBeGreaterThan(seen)
    await third.stop()
  })
})

describe('the queue of webhooks', () => {
  const LIMITS = { mostEvents: 100, mostBytes: 1_000_000 }
  const rules = (more: Partial<WebhookRules> = {}): WebhookRules => ({
    ...{ events: ['message'], channels: [], maxEvents: 1000, maxBytes: 1_000_000 },
    ...{ endpoints: ['a'], ...more },
  })
  const say = (store: DiskStore, count: number): unknown =>
    store.publish(Array.from({ length: count }, (_, n) => message('room', { text: String(n) })))
  async function take(store: DiskStore, endpoint = 'a') {
    const part = await store.webhookQueue?.read(endpoint, LIMITS)
    if (!part) throw new Error('no queue')
    await store.webhookQueue?.confirm(endpoint, part)
    return part
  }
  const open = async (isCompacted: boolean) => {
    const scene = new Restarting(isCompacted)
    const store = await scene.open({ webhooks: rules() })
    await store.ensure([ROOM])
    await take(store)
    await say(store, 5)
    return { scene, store }
  }

  it.each([false, true])(
    'tells an endpoint that it missed a run without webhooks, and gives no number again (%s)',
    async (isCompacted) => {
      const { scene, store } = await open(isCompacted)
      const told = (await take(store)).events
      await say(store, 2)
      await say(await scene.again({ webhooks: undefined }), 3)
      const back = await scene.again({ webhooks: rules() })
      const { resync } = await take(back)
      expect(resync?.reason).toBe(isCompacted ? 'started' : 'dropped')
      await say(back, 3)
      const part = await take(back)
      expect(part.events).toHaveLength(3)
      expect(part.events[0]?.n).toBeGreaterThan((told.at(-1)?.n ?? 0) + 2)
      expect((await back.webhookQueue?.figures(['a']))?.get('a')?.queued).toBe(0)
      await back.stop()
    },
  )

  it('keeps nothing for an endpoint that is gone, and tells it so if it comes back', async () => {
    const { scene } = await open(false)
    const other = await scene.again({ webhooks: rules({ endpoints: ['b'] }) })
    await take(other, 'b')
    await say(other, 5)
    await take(other, 'b')
    expect((await take(other, 'c')).events).toHaveLength(0) // begins with the oldest that is queued
    const back = await scene.again({ webhooks: rules({ endpoints: ['a', 'b'] }) })
    expect((await take(back, 'b')).resync).toBeUndefined()
    expect((await take(back)).resync).toMatchObject({ reason: 'dropped', dropped: 10 })
    await back.stop()
  })

  it('may be smaller after a start', async () => {
    const { scene } = await open(false)
    const smaller = await scene.again({ webhooks: rules({ maxEvents: 3 }) })
    const { resync, events } = await take(smaller)
    expect(resync?.reason).toBe('dropped')
    expect(events.length).toBeLessThanOrEqual(3)
    await smaller.stop()
  })

  it('tells of a loss once, also after a second restart', async () => {
    const { scene, store } = await open(false)
    await take(store)
    await scene.fail()
    await scene.open({ webhooks: rules() })
    const back = await scene.again({ webhooks: rules() })
    expect((await take(back)).resync?.reason).toBe('restarted')
    const again = await scene.again({ webhooks: rules() })
    expect((await take(again)).resync).toBeUndefined()
    await again.stop()
  })
})

it('a file named restored counts once', async () => {
  const scene = new Restarting(false)
  const first = await scene.open()
  await first.ensure([ROOM])
  await scene.end()
  writeFileSync(join(scene.directory, 'restored'), '')
  const { epoch } = await scene.open()
  expect(epoch).not.toBe(first.epoch)
  expect((await scene.again()).epoch).toBe(epoch)
  await scene.end()
})

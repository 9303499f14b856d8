/** Histories in Redis that servers of an older version have written, or that are long. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import {
  channelName,
  edit,
  message,
  retraction,
  settingsMap,
  textsOf,
  uuidOf,
} from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import type { ChannelSettings } from '../../src/protocol/requests.ts'
import type { Store, StoredEvent } from '../../src/store/store.ts'
import type { RedisClient } from '../helpers/redis.ts'

const ROOM = channelName('room')
/** More messages than a list may have. */
const LONG = 2_500
/** Servers of older versions had the beginning of a UUID as their name. */
const OLDER_SERVER = '3b8f2a6e-5d0c'

let redis: RedisServer
let admin: RedisClient
beforeAll(async () => {
  redis = await RedisServer.start()
  admin = await redis.client()
})
afterAll(async () => {
  admin.destroy()
  await redis.stop()
})

/** A store, and what a server of an older version does beside it. */
class Scene {
  private constructor(
    readonly store: Store,
    readonly clock: ManualClock,
    readonly root: string,
  ) {}

  static async set(settings: Partial<ChannelSettings> = {}): Promise<Scene> {
    const prefix = freshPrefix()
    const clock = new ManualClock()
    const now = () => Math.floor(clock.wallTime())
    const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, clock, now })
    onTestFinished(() => store.stop())
    const room = { store_history: true, history_size: LONG, ...settings }
    await store.configure(settingsMap({ room }))
    return new Scene(store, clock, `{${prefix}}`)
  }

  async olderServerComes(): Promise<void> {
    await admin.zAdd(`${this.root}:servers`, { score: 1e15, value: OLDER_SERVER })
  }

  async olderServerGoes(): Promise<void> {
    await admin.zRem(`${this.root}:servers`, OLDER_SERVER)
  }

  /** Adds messages as `publish.lua` of an older version did: to the end of the list, without a time. */
  async addAsBefore(first: number, last: number): Promise<void> {
    for (let number = first; number <= last; number++) {
      const n = await admin.hIncrBy(this.root, 'head', 1)
      const { body } = message('room', { text: String(number), uuid: uuidOf(number) })
      const text = `${n}\nmessage\n${uuidOf(number)}\n${JSON.stringify(body)}\n`
      await admin.rPush(`${this.root}:h:room`, text)
    }
  }

  async publish(first: number, last: number): Promise<void> {
    for (let from = first; from <= last; from += 500)
      await this.store.publish(
        Array.from({ length: Math.min(500, last - from + 1) }, (_, index) =>
          message('room', { text: String(from + index), uuid: uuidOf(from + index) }),
        ),
      )
  }

  async history(): Promise<readonly StoredEvent[]> {
    const read: StoredEvent[] = []
    for (let isMore = true; isMore;) {
      const part = await this.store.history(ROOM, {
        after: read.at(-1)?.n,
        isBackward: false,
        most: 250,
      })
      read.push(...(part?.events ?? []))
      isMore = part?.isMore ?? false
    }
    return read
  }

  texts = async () => textsOf(await this.history()).map(Number)

  inList = () => admin.lLen(`${this.root}:h:room`)
  inSortedSet = () => admin.zCard(`${this.root}:l:room`)
  keys = () => admin.keys(`${this.root}:*:room`)
}

const from = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe('a long history', { timeout: 60_000 }, () => {
  it('stays in a list as long as a server of an older version is there', async () => {
    const scene = await Scene.set()
    await scene.olderServerComes()
    await scene.addAsBefore(1, 1_200)
    await scene.publish(1_201, 1_300)
    await scene.store.publish([
      edit('room', { uuid: uuidOf(7), text: '-7' }),
      retraction('room', { uuid: uuidOf(1_250) }),
    ])
    const expected = from(1, 1_300)
      .filter((number) => number !== 1_250)
      .map((number) => (number === 7 ? -7 : number))
    expect(await scene.texts()).toEqual(expected)
    expect([await scene.inList(), await scene.inSortedSet()]).toEqual([1_299, 0])
  })

  it('moves to a sorted set with what is written, when no older server is left', async () => {
    const scene = await Scene.set()
    await scene.olderServerComes()
    await scene.addAsBefore(1, 1_500)
    await scene.olderServerGoes()
    for (let number = 1_501; (await scene.inList()) > 0; number++) {
      await scene.publish(number, number)
      expect(await scene.texts()).toEqual(from(1, number))
    }
    const count = await scene.inSortedSet()
    await scene.store.publish([
      edit('room', { uuid: uuidOf(7), text: '-7' }),
      retraction('room', { uuid: uuidOf(8) }),
    ])
    expect((await scene.texts()).slice(5, 9)).toEqual([6, -7, 9, 10])
    await scene.publish(10_000, 10_000 + LONG - count)
    expect(await scene.texts()).toHaveLength(LONG)
    expect((await scene.texts())[0]).toBe(1)
    await scene.publish(20_000, 20_000)
    expect((await scene.texts())[0]).toBe(2)
  })

  it('is found in both parts meanwhile, the oldest of several first', async () => {
    const scene = await Scene.set({ history_size: 20_000 })
    await scene.olderServerComes()
    await scene.addAsBefore(1, 1_000)
    await scene.olderServerGoes()
    await scene.store.publish([message('room', { text: '5000', uuid: uuidOf(3) })])
    expect(await scene.inList()).toBeGreaterThan(100)
    expect(await scene.inSortedSet()).toBeGreaterThan(100)
    for (const uuid of [3, 3, 999]) {
      await scene.store.publish([retraction('room', { uuid: uuidOf(uuid) })])
    }
    const gone = [3, 999]
    expect(await scene.texts()).toEqual(from(1, 1_000).filter((number) => !gone.includes(number)))
  })

  it('takes in what an older server adds later, in its place', async () => {
    const scene = await Scene.set()
    await scene.publish(1, 1_100)
    expect(await scene.inSortedSet()).toBe(1_100)
    await scene.addAsBefore(1_101, 1_105)
    expect(await scene.texts()).toEqual(from(1, 1_105))
    await scene.publish(1_106, 1_106)
    await scene.store.publish([edit('room', { uuid: uuidOf(1_103), text: '-1103' })])
    expect((await scene.texts()).slice(-4)).toEqual([-1103, 1104, 1105, 1106])
  })

  it('is a list again when it is not long any more, and grows again', async () => {
    const scene = await Scene.set()
    await scene.publish(1, 2_600)
    const set = (history_size: number) =>
      scene.store.configure(settingsMap({ room: { store_history: true, history_size } }))
    await set(2_000)
    expect(await scene.texts()).toEqual(from(601, 2_600))
    // The index is made again.
    await scene.store.publish([edit('room', { uuid: uuidOf(2_599), text: '-1' })])
    expect((await scene.texts()).at(-2)).toBe(-1)
    await set(5)
    expect(await scene.texts()).toEqual([2_596, 2_597, 2_598, -1, 2_600])
    expect([await scene.inList(), await scene.inSortedSet()]).toEqual([5, 0])
    await set(LONG)
    await scene.publish(3_000, 3_001)
    expect((await scene.texts()).slice(-3)).toEqual([2_600, 3_000, 3_001])
    await set(0)
    expect(await scene.texts()).toEqual([])
    expect((await scene.keys()).filter((key) => /:[hli]:/.test(key))).toEqual([])
  })

  it('is edited and deleted from without its index, which is made again', async () => {
    const scene = await Scene.set()
    await scene.publish(1, 2_000)
    await admin.del(`${scene.root}:i:room`)
    await scene.store.publish([
      edit('room', { uuid: uuidOf(1_990), text: '-1990' }),
      retraction('room', { uuid: uuidOf(2) }),
    ])
    await scene.publish(2_001, 2_010)
    await scene.store.publish([edit('room', { uuid: uuidOf(2_005), text: '-2005' })])
    const texts = await scene.texts()
    expect(texts.slice(0, 3)).toEqual([1, 3, 4])
    expect(texts.filter((number) => number < 0)).toEqual([-1990, -2005])
    expect(await admin.zCard(`${scene.root}:i:room`)).toBe(2_009 + 1)
  })

  it('leaves nothing behind with its channel', async () => {
    const scene = await Scene.set({ history_ttl: 1_000 })
    await scene.publish(1, 1_100)
    expect((await scene.keys()).length).toBeGreaterThan(3)
    await scene.clock.advance(CONTRACT_OPTIONS.gcChannelsMs + 300)
    await scene.store.sweep()
    expect(await scene.keys()).toEqual([])
    expect(await admin.zCard(`${scene.root}:aging`)).toBe(0)
  })
})

describe('what servers of older versions read', () => {
  /** As in the version before: the lines that an edit has changed come after the delivery. */
  function readAsBefore(text: string) {
    const [number = '', , , body = '', delivery, ...edited] = text.split('\n')
    const keys = ['timestamp', 'user', 'message', 'edited']
    const changes: Record<string, unknown> = {}
    for (const [index, key] of keys.entries())
      if (edited[index]) changes[key] = JSON.parse(edited[index])
    return {
      n: Number(number),
      body: { ...(JSON.parse(body) as object), ...changes },
      delivery: delivery ? (JSON.parse(delivery) as unknown) : undefined,
    }
  }

  it('is what this version writes, with a time or without', async () => {
    const scene = await Scene.set({ history_size: 10, history_ttl: 60 })
    const publications = [
      message('room', { text: 'plain', uuid: uuidOf(1) }),
      message('room', { text: 'private', uuid: uuidOf(2), pmUsers: ['ann'] }),
      message('room', { text: 'edited', uuid: uuidOf(3) }),
    ]
    await scene.store.publish([...publications, edit('room', { uuid: uuidOf(3), text: 'new' })])
    const kept = await admin.lRange(`${scene.root}:h:room`, 0, -1)
    const frames = await admin.lRange(`${scene.root}:f:room`, 0, 2)
    const history = await scene.history()
    for (const texts of [kept, frames])
      expect(texts.map(readAsBefore)).toEqual(
        history.map(({ n, body, delivery }) => {
          const isPlain = delivery.pmUsers.length === 0
          return { n, body, delivery: isPlain ? undefined : { ...delivery, philote: undefined } }
        }),
      )
    const settings = await admin.hGet(`${scene.root}:c:room`, 's')
    expect(Number(/\d+/.exec(settings ?? '')?.[0])).toBe(10)
  })
})

describe('a history_ttl', { timeout: 60_000 }, () => {
  it('counts from its setting for messages of older versions', async () => {
    const scene = await Scene.set({ history_size: 100 })
    await scene.addAsBefore(1, 5)
    await scene.clock.advance(1_000_000)
    await scene.store.configure(
      settingsMap({ room: { store_history: true, history_size: 100, history_ttl: 10 } }),
    )
    await scene.store.sweep()
    await scene.clock.advance(9_000)
    await scene.addAsBefore(6, 7)
    await scene.publish(8, 8)
    expect(await scene.texts()).toEqual(from(1, 8))
    await scene.clock.advance(1_000)
    expect(await scene.texts()).toEqual([6, 7, 8])
    await scene.clock.advance(9_000)
    await scene.store.sweep()
    expect([await scene.texts(), await scene.inList()]).toEqual([[], 0])
  })

  it('holds for messages of older versions that nothing follows', async () => {
    const scene = await Scene.set({ history_size: 100, history_ttl: 10 })
    await scene.publish(1, 1)
    await scene.addAsBefore(2, 3)
    await scene.clock.advance(10_300)
    await scene.store.sweep()
    expect(await scene.texts()).toEqual([2, 3])
    await scene.clock.advance(10_300)
    await scene.store.sweep()
    expect(await scene.inList()).toBe(0)
  })

  it('holds after its deadline was evicted', async () => {
    const scene = await Scene.set({ history_size: 100, history_ttl: 10 })
    await scene.publish(1, 3)
    await admin.del(`${scene.root}:aging`)
    await scene.clock.advance(10_300)
    for (let round = 0; round < 100 && (await scene.inList()) > 0; round++) {
      await scene.store.sweep()
      await scene.clock.advance(500)
    }
    expect(await scene.inList()).toBe(0)
  })
})

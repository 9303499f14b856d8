/** Exports from Redis and imports into it: what a server makes of them, and what does not go as planned. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parseRedisUrl } from '../../src/lib/redis-url.ts'
import { LEAP } from '../../src/store/redis/constants.ts'
import { openForExport } from '../../src/store/redis/export.ts'
import { importToRedis } from '../../src/store/redis/import.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import {
  attach,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
  whisper,
} from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { comparable, contentOf, linesOf } from '../helpers/snapshots.ts'
import type { RedisAddress } from '../../src/lib/redis-url.ts'
import type { RedisStore } from '../../src/store/redis/store.ts'
import type { AnyRecord } from '../../src/store/snapshot/records.ts'
import type { RedisClient } from '../helpers/redis.ts'

const NOW = Date.UTC(2030, 0, 2)
const WAIT_MS = 5000

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

const placeOf = (prefix: string) => ({
  address: parseRedisUrl(redis.url) as RedisAddress,
  prefix,
  timeoutMs: 10_000,
})
const rulesOf = (prefix: string) => ({
  ...placeOf(prefix),
  ...{ connectionWaitMs: WAIT_MS, gcUsersMs: WAIT_MS, gcChannelsMs: WAIT_MS },
})

const exported = (prefix: string): Promise<string[]> => linesOf(openForExport(placeOf(prefix), NOW))
const recordsOf = (lines: readonly string[]): AnyRecord[] =>
  lines.map((line) => JSON.parse(line) as AnyRecord)

async function imported(lines: readonly string[], prefix = freshPrefix()): Promise<string> {
  await importToRedis(await contentOf(lines), rulesOf(prefix), NOW)
  return prefix
}

/** Opens a store whose clock is moved by hand, and which stops with the test. */
async function open(prefix: string) {
  const clock = new ManualClock()
  const now = () => Math.floor(clock.wallTime())
  const store = await openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, clock, now })
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (!isStopped) await store.stop()
    isStopped = true
  }
  onTestFinished(stop)
  return { store, clock, stop }
}

/** An installation with two users in a room, of whom one was removed. */
async function anInstallation(fill?: (store: RedisStore) => Promise<unknown>): Promise<string> {
  const prefix = freshPrefix()
  const { store, stop } = await open(prefix)
  await store.configure(settingsMap({ room: { store_history: true, notify_state: true } }))
  await connect(store, 'ann', { id: 1, channels: ['room'] })
  await connect(store, 'bob', { id: 2, channels: ['room'] })
  await store.publish([message('room', { text: 'one' }), whisper(['ann'], { text: 'private' })])
  await store.leave(connIdOf(2), channelNames('room'))
  await fill?.(store)
  await stop()
  return prefix
}

const keysOf = async (prefix: string): Promise<string[]> =>
  (await admin.keys(`{${prefix}}*`)).map((key) => key.slice(prefix.length + 2)).sort()

describe('a server that starts after an import', () => {
  it('lets connections, users and channels wait from then on', async () => {
    const prefix = await imported(await exported(await anInstallation()))
    const { store, clock } = await open(prefix)
    // By the calendar, the import was years later: only the time of servers counts.
    await clock.advance(WAIT_MS - 1000)
    expect(await store.sweep()).toEqual([])
    await clock.advance(1001)
    expect([...(await store.sweep())].sort()).toEqual([connIdOf(1), connIdOf(2)])
  })

  it('finds nothing to repair', async () => {
    const prefix = await imported(await exported(await anInstallation()))
    const before = await keysOf(prefix)
    const { store, clock, stop } = await open(prefix)
    expect(await attach(store, connIdOf(1))).toMatchObject({ user: 'ann' })
    await store.publish([message('room', { text: 'two' })])
    // A round of the audit looks at every key.
    for (let round = 0; round < 20; round++) {
      await clock.advance(500)
      await store.sweep()
    }
    const { connections, connectedUsers, channels } = await store.figures()
    expect({ connections, connectedUsers, channels }).toEqual({
      ...{ connections: 2, connectedUsers: 2, channels: 1 },
    })
    expect(await admin.hGet(`{${prefix}}`, 'urgent')).toBe('0')
    await stop()
    for (const key of before) expect(await admin.exists(`{${prefix}}${key}`), key).toBe(1)
  })
})

describe('an import that has not ended', () => {
  it('lets no server and no other import begin', async () => {
    const lines = await exported(await anInstallation())
    const prefix = freshPrefix()
    await admin.set(`{${prefix}}`, 'importing')
    await expect(imported(lines, prefix)).rejects.toThrow(
      /of an import that runs or was broken off/,
    )
    await expect(
      openRedisStore(redis, { ...CONTRACT_OPTIONS, prefix, timeoutMs: 500 }),
    ).rejects.toThrow(/Wait for the end of channelstream import/)
    expect(await keysOf(prefix)).toEqual([''])
  }, 60_000)

  it('leaves nothing, and can be repeated', async () => {
    const lines = await exported(await anInstallation())
    const prefix = freshPrefix()
    await expect(imported(lines.slice(0, -1), prefix)).rejects.toThrow(/cut off/)
    expect(await keysOf(prefix)).toEqual([])
    await imported(lines, prefix)
    expect(await comparable(await exported(prefix))).toEqual(await comparable(lines))
  })
})

describe('an export', () => {
  it('skips numbers if Redis has been another process since', async () => {
    const prefix = await anInstallation()
    const [before] = recordsOf(await exported(prefix))
    await admin.hSet(`{${prefix}}`, 'run', 'another')
    const [after] = recordsOf(await exported(prefix))
    if (before?.type !== 'snapshot' || after?.type !== 'snapshot') throw new Error('no head')
    expect(after.head).toBe(before.head + LEAP)
    expect(after.newest_webhook).toBe(before.newest_webhook + LEAP)
  })

  it.each([
    ['frames of a channel', 'f:room', { type: 'channel', name: 'room' }],
    ['removals', 'x:room', { type: 'channel', name: 'room' }],
    ['frames of a user', 'g:ann', { type: 'user', name: 'ann' }],
  ])('counts %s that Redis has evicted as lost', async (_what, key, of) => {
    const prefix = await anInstallation()
    expect(await admin.del(`{${prefix}}:${key}`)).toBe(1)
    const records = recordsOf(await exported(prefix))
    const head = records[0]?.type === 'snapshot' ? records[0].head : 0
    expect(records).toContainEqual(expect.objectContaining({ ...of, lost_through: head }))
  })

  it('leaves out connections that need a channel which Redis has evicted', async () => {
    const prefix = await anInstallation(async (store) =>
      store.configure(settingsMap({ other: {} })),
    )
    await admin.del(`{${prefix}}:c:room`)
    const records = recordsOf(await exported(prefix))
    const ids = records.flatMap((record) => (record.type === 'connection' ? [record.id] : []))
    expect(ids).toEqual([connIdOf(2)])
    const [head] = records
    // If the channel is made again, those who come back get a gap.
    expect(head).toMatchObject({ forgotten_through: (head as { head: number }).head })
  })

  it.each(['users', 'channels'])('is refused if Redis has evicted the list of %s', async (list) => {
    const prefix = await anInstallation()
    await admin.del(`{${prefix}}:${list}`)
    await expect(exported(prefix)).rejects.toThrow(/Start a server until it has repaired that/)
  })

  it('is broken off if a server begins to use Redis meanwhile', async () => {
    const prefix = await anInstallation()
    const content = await openForExport(placeOf(prefix), NOW)
    const lines: unknown[] = []
    const reading = (async () => {
      for await (const item of content.items) {
        lines.push(item)
        if (lines.length > 1) continue
        const { store, stop } = await open(prefix)
        await store.publish([message('room', { text: 'meanwhile' })])
        await stop()
      }
    })()
    await expect(reading).rejects.toThrow(/A server has used Redis meanwhile/)
    await content.release()
  })
})

it('a snapshot with events out of order is refused', async () => {
  const lines = await exported(await anInstallation())
  const place = lines.findIndex((line) => line.includes('"type":"event"'))
  const twice = lines.toSpliced(place, 0, lines[place] as string)
  await expect(imported(twice)).rejects.toThrow(/Line \d+ of the snapshot has event \d+ after \d+/)
})

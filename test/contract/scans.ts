import { describe, expect, it } from 'vitest'
import { channelNames, connIdOf, connect, message, settingsMap, userNames } from './fixtures.ts'
import type { Scan } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const MANY = 2500
const MAX_PART = 1000

async function all<Element>(scan: Scan<Element>): Promise<Element[]> {
  const found: Element[] = []
  for await (const part of scan) {
    expect(part.length).toBeLessThanOrEqual(MAX_PART)
    found.push(...part)
  }
  return found
}

const byName = <Named extends { name: string }>(list: readonly Named[]): Named[] =>
  list.toSorted((one, other) => (one.name < other.name ? -1 : 1))

export function scans(openBench: OpenBench): void {
  describe('scans', () => {
    it('are empty as long as nothing is known', async () => {
      const { store } = await openBench()
      expect(await all(store.scanChannels())).toEqual([])
      expect(await all(store.scanUsers())).toEqual([])
    })

    it('show channels and users in figures', async () => {
      const { store } = await openBench()
      const configs = { room: { store_history: true } }
      await connect(store, 'ann', { id: 1, channels: ['room'], configs })
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      await connect(store, 'bob', { id: 3, channels: ['room', 'hall'] })
      await store.publish([message('room')])
      await store.drop(connIdOf(2))
      const [hall, room] = byName(await all(store.scanChannels()))
      expect(hall).toMatchObject({ name: 'hall', connections: 1, users: 1, history: 0 })
      expect(room).toMatchObject({ name: 'room', connections: 2, users: 2, history: 1 })
      const [record] = await store.channels(channelNames('room'), { users: false, history: false })
      expect(room?.lastActive).toBe(record?.lastActive)
      expect(byName(await all(store.scanUsers()))).toEqual([
        { name: 'ann', connections: 1 },
        { name: 'bob', connections: 1 },
      ])
    })

    it('meet everything that is there throughout, in parts', async () => {
      const { store } = await openBench()
      const names = Array.from({ length: MANY }, (_, at) => `channel ${at}`)
      await store.configure(settingsMap(Object.fromEntries(names.map((name) => [name, {}]))))
      const met = new Set<string>()
      let parts = 0
      for await (const part of store.scanChannels()) {
        for (const { name } of part) met.add(name)
        await store.configure(settingsMap({ [`new ${++parts}`]: {} }))
      }
      expect(parts).toBeGreaterThan(1)
      expect(names.filter((name) => !met.has(name))).toEqual([])
    })
  })

  describe('users by name', () => {
    it('come with their connections where they are asked for', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'ann', { id: 2 })
      const [asked] = await store.users(userNames('ann'), { connections: true })
      expect(asked?.connections?.toSorted()).toEqual([connIdOf(1), connIdOf(2)])
      const [plain] = await store.users(userNames('ann'))
      expect(plain?.connections).toBeUndefined()
    })
  })
}

import { describe, expect, it } from 'vitest'
import {
  allChannels,
  channelNames,
  connIdOf,
  connect,
  settingsMap,
  settingsOf,
} from './fixtures.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const ALL = { users: true, history: true }
const NO_SETTINGS = settingsMap({})

async function presentIn(store: Store, channel: string) {
  const [record] = await store.channels(channelNames(channel), ALL)
  return record && { users: [...record.users].sort(), connections: record.connections }
}

export function memberships(openBench: OpenBench): void {
  describe('memberships', () => {
    it('begin for the user with the first of its connections', async () => {
      const { store } = await openBench()
      for (const id of [1, 2]) await connect(store, 'ann', { id, channels: ['room'] })
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann'], connections: 2 })
    })

    it('end for the user with the last of its connections, whether it leaves or is dropped', async () => {
      const { store } = await openBench()
      for (const id of [1, 2, 3]) await connect(store, 'ann', { id, channels: ['room'] })
      await connect(store, 'bob', { id: 4, channels: ['room'] })
      await store.drop(connIdOf(1))
      await store.leave(connIdOf(2), channelNames('room'))
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann', 'bob'], connections: 2 })
      await store.drop(connIdOf(3))
      expect(await presentIn(store, 'room')).toEqual({ users: ['bob'], connections: 1 })
    })

    it('are joined later as well, in channels that are made for it', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      const settings = settingsMap({ made: { history_size: 3 } })
      const joined = await store.join(connIdOf(1), channelNames('room', 'made'), settings)
      expect(joined?.changed).toEqual(['made'])
      const [made] = await store.channels(channelNames('made'), ALL)
      expect(made?.settings).toEqual(settingsOf({ history_size: 3 }))
      expect([...(joined?.channels ?? [])].sort()).toEqual(['made', 'room'])
      expect(joined?.user.name).toBe('ann')
    })

    it('are joined once, however often a channel is named', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room', 'room'] })
      const again = await store.join(connIdOf(1), channelNames('two', 'two', 'room'), NO_SETTINGS)
      expect(again?.changed).toEqual(['two'])
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann'], connections: 1 })
      expect(await presentIn(store, 'two')).toEqual({ users: ['ann'], connections: 1 })
    })

    it('are left once, however often a channel is named', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      const left = await store.leave(connIdOf(1), channelNames('room', 'room'))
      expect(left?.changed).toEqual(['room'])
      expect(await presentIn(store, 'room')).toEqual({ users: ['bob'], connections: 1 })
    })

    it('pass over channels that the connection is not in, and do not make them', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['his'] })
      const left = await store.leave(connIdOf(1), channelNames('unknown', 'his', 'room'))
      expect(left?.changed).toEqual(['room'])
      expect(left?.channels).toEqual([])
      expect(await presentIn(store, 'his')).toEqual({ users: ['bob'], connections: 1 })
      expect(await presentIn(store, 'unknown')).toBeUndefined()
    })

    it('are those of a connection that is known, else undefined', async () => {
      const { store } = await openBench()
      expect(await store.join(connIdOf(1), channelNames('room'), NO_SETTINGS)).toBeUndefined()
      expect(await store.leave(connIdOf(1), channelNames('room'))).toBeUndefined()
      expect(await presentIn(store, 'room')).toBeUndefined()
    })

    it('are ended by one caller only', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['one', 'two'] })
      const answers = await Promise.all([store.drop(connIdOf(1)), store.drop(connIdOf(1))])
      expect(answers.toSorted()).toEqual([false, true])
      expect(await store.drop(connIdOf(1))).toBe(false)
      expect(await store.hasConnection(connIdOf(1))).toBe(false)
      for (const name of ['one', 'two'])
        expect(await presentIn(store, name)).toEqual({ users: [], connections: 0 })
    })

    it('end for a connection in no channel as well', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      expect(await store.drop(connIdOf(1))).toBe(true)
    })
  })

  describe('channels', () => {
    it('take settings from who makes them, and keep them from who comes later', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'], configs: { room: { history_size: 3 } } })
      await connect(store, 'bob', {
        id: 2,
        channels: ['room'],
        configs: { room: { history_size: 7 } },
      })
      const [room] = await store.channels(channelNames('room'), ALL)
      expect(room?.settings).toEqual(settingsOf({ history_size: 3 }))
    })

    it('have the default settings if nobody gives any', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      const [room] = await store.channels(channelNames('room'), ALL)
      expect(room).toMatchObject({ name: 'room', settings: settingsOf(), connections: 1 })
    })

    it('are made or given other settings whole by configuring, and keep who they are', async () => {
      const { store } = await openBench()
      await store.configure(settingsMap({ room: { history_size: 3, notify_state: true } }))
      const [made] = await store.channels(channelNames('room'), ALL)
      await store.configure(settingsMap({ room: { notify_presence: true } }))
      const [changed] = await store.channels(channelNames('room'), ALL)
      expect(changed?.settings).toEqual(settingsOf({ notify_presence: true }))
      expect(changed?.uuid).toBe(made?.uuid)
      expect(made?.settings).toEqual(settingsOf({ history_size: 3, notify_state: true }))
    })

    it('are read by name, each once, unknown ones passed over, or all of them', async () => {
      const { store } = await openBench()
      await store.configure(settingsMap({ one: {}, two: {}, three: {} }))
      const named = await store.channels(channelNames('two', 'nope', 'one', 'two'), ALL)
      expect(named.map(({ name }) => name).sort()).toEqual(['one', 'two'])
      const all = await allChannels(store, ALL)
      expect(all.map(({ name }) => name).sort()).toEqual(['one', 'three', 'two'])
      expect(await store.channels([], ALL)).toEqual([])
    })

    it('show users when they are asked for', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      const [bare] = await allChannels(store, { users: false, history: true })
      expect(bare).toMatchObject({ users: [], connections: 1 })
    })

    it('are handed out as they were: a record does not change afterwards', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      const [record] = await allChannels(store, ALL)
      const before = structuredClone(record)
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      await store.configure(settingsMap({ room: { history_size: 1 } }))
      await store.drop(connIdOf(1))
      expect(record).toEqual(before)
    })
  })
}

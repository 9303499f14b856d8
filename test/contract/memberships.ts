import { describe, expect, it } from 'vitest'
import {
  allChannels,
  channelNames,
  connIdOf,
  connect,
  settingsMap,
  settingsOf,
} from './fixtures.ts'
import type { MembershipChange, Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const ALL = { users: true, history: true }
const PRESENCE = { notify_presence: true, broadcast_presence_with_user_lists: true }
const NO_SETTINGS = settingsMap({})

const told = (changes: readonly MembershipChange[] | undefined) =>
  changes?.map(({ channel, userChanged }) => [channel, userChanged])

async function presentIn(store: Store, channel: string) {
  const [record] = await store.channels(channelNames(channel), ALL)
  return record && { users: [...record.users].sort(), connections: record.connections }
}

export function memberships(openBench: OpenBench): void {
  describe('memberships', () => {
    it('begin for the user with the first of its connections', async () => {
      const { store } = await openBench()
      const first = await connect(store, 'ann', { id: 1, channels: ['room'] })
      const second = await connect(store, 'ann', { id: 2, channels: ['room'] })
      expect(told(first.joined)).toEqual([['room', true]])
      expect(told(second.joined)).toEqual([['room', false]])
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann'], connections: 2 })
    })

    it('end for the user with the last of its connections, whether it leaves or is dropped', async () => {
      const { store } = await openBench()
      for (const id of [1, 2, 3]) await connect(store, 'ann', { id, channels: ['room'] })
      await connect(store, 'bob', { id: 4, channels: ['room'] })
      expect(told(await store.drop(connIdOf(1)))).toEqual([['room', false]])
      expect(told((await store.leave(connIdOf(2), channelNames('room')))?.changes)).toEqual([
        ['room', false],
      ])
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann', 'bob'], connections: 2 })
      expect(told(await store.drop(connIdOf(3)))).toEqual([['room', true]])
      expect(await presentIn(store, 'room')).toEqual({ users: ['bob'], connections: 1 })
    })

    it('are told of one channel at a time: joining one says nothing of another', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['one'] })
      const { joined } = await connect(store, 'ann', { id: 2, channels: ['one', 'two'] })
      expect(told(joined)).toEqual([
        ['one', false],
        ['two', true],
      ])
    })

    it('are joined later as well, in channels that are made for it', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      const settings = settingsMap({ made: { history_size: 3 } })
      const joined = await store.join(connIdOf(1), channelNames('room', 'made'), settings)
      expect(told(joined?.changes)).toEqual([['made', true]])
      expect(joined?.changes[0]?.settings).toEqual(settingsOf({ history_size: 3 }))
      expect([...(joined?.channels ?? [])].sort()).toEqual(['made', 'room'])
      expect(joined?.user.name).toBe('ann')
    })

    it('are joined once, however often a channel is named', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room', 'room'] })
      const again = await store.join(connIdOf(1), channelNames('two', 'two', 'room'), NO_SETTINGS)
      expect(told(again?.changes)).toEqual([['two', true]])
      expect(await presentIn(store, 'room')).toEqual({ users: ['ann'], connections: 1 })
      expect(await presentIn(store, 'two')).toEqual({ users: ['ann'], connections: 1 })
    })

    it('are left once, however often a channel is named', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      const left = await store.leave(connIdOf(1), channelNames('room', 'room'))
      expect(told(left?.changes)).toEqual([['room', true]])
      expect(await presentIn(store, 'room')).toEqual({ users: ['bob'], connections: 1 })
    })

    it('pass over channels that the connection is not in, and do not make them', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['his'] })
      const left = await store.leave(connIdOf(1), channelNames('unknown', 'his', 'room'))
      expect(told(left?.changes)).toEqual([['room', true]])
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

    it('are ended by one caller only, who is told all of them', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['one', 'two'] })
      const answers = await Promise.all([store.drop(connIdOf(1)), store.drop(connIdOf(1))])
      const [left, ...others] = answers.filter((answer) => answer !== undefined)
      expect(others).toEqual([])
      expect(left?.map(({ channel, user }) => [channel, user]).sort()).toEqual([
        ['one', 'ann'],
        ['two', 'ann'],
      ])
      expect(await store.drop(connIdOf(1))).toBeUndefined()
      expect(await store.hasConnection(connIdOf(1))).toBe(false)
    })

    it('tell a user of several connections once, when all end at the same time', async () => {
      const { store } = await openBench()
      const ids = [1, 2, 3, 4].map(connIdOf)
      const joined = await Promise.all(
        [1, 2, 3, 4].map((id) => connect(store, 'ann', { id, channels: ['room'] })),
      )
      expect(joined.flatMap((one) => one.joined).filter((one) => one.userChanged)).toHaveLength(1)
      const left = await Promise.all(ids.map(async (id) => store.drop(id)))
      expect(left.flatMap((one) => one ?? []).filter((one) => one.userChanged)).toHaveLength(1)
    })

    it('end for a connection in no channel with nothing to tell', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      expect(await store.drop(connIdOf(1))).toEqual([])
    })
  })

  describe('presence lists', () => {
    const configs = { room: PRESENCE }

    it('have the one who joined, with the public state, and not the one who left', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'], configs })
      const { joined } = await connect(store, 'bob', {
        id: 2,
        channels: ['room'],
        state: { mood: 'fine', pin: 1234 },
        publicKeys: ['mood'],
      })
      const [change] = joined
      expect(change?.present?.total).toBe(2)
      expect(change?.present?.users).toHaveLength(2)
      expect(change?.present?.users).toContainEqual({ user: 'ann', state: {} })
      expect(change?.present?.users).toContainEqual({ user: 'bob', state: { mood: 'fine' } })
      const left = await store.drop(connIdOf(1))
      expect(left?.[0]?.present).toEqual({
        users: [{ user: 'bob', state: { mood: 'fine' } }],
        total: 1,
      })
    })

    it('are cut at the limit, but count everyone', async () => {
      const { store } = await openBench()
      for (const [index, user] of ['a', 'b', 'c', 'd'].entries())
        await connect(store, user, { id: index, channels: ['room'], configs })
      const { joined } = await connect(store, 'e', { id: 9, channels: ['room'] })
      expect(joined[0]?.present?.users).toHaveLength(3)
      expect(joined[0]?.present?.total).toBe(5)
    })

    it('are made only where presence is announced with them', async () => {
      const { store } = await openBench()
      const { joined } = await connect(store, 'ann', {
        channels: ['silent', 'short', 'plain'],
        configs: {
          silent: { broadcast_presence_with_user_lists: true },
          short: { notify_presence: true },
        },
      })
      expect(joined.map(({ present }) => present)).toEqual([undefined, undefined, undefined])
    })

    it('come with the change of a user, not of a further connection', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'], configs })
      const { joined } = await connect(store, 'ann', { id: 2, channels: ['room'] })
      expect(joined[0]).not.toHaveProperty('present')
    })

    it('follow the settings that the channel has at that time', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.configure(settingsMap(configs))
      const { joined } = await connect(store, 'bob', { id: 2, channels: ['room'] })
      expect(joined[0]?.present?.total).toBe(2)
      expect(joined[0]?.settings).toEqual(settingsOf(PRESENCE))
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
      await connect(store, 'ann', { channels: ['room'], configs: { room: PRESENCE } })
      const [record] = await allChannels(store, ALL)
      const before = structuredClone(record)
      const { joined } = await connect(store, 'bob', { id: 2, channels: ['room'] })
      const change = structuredClone(joined)
      await store.configure(settingsMap({ room: { history_size: 1 } }))
      await store.drop(connIdOf(1))
      expect(record).toEqual(before)
      expect(joined).toEqual(change)
    })
  })
}

import { describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import {
  channelName,
  channelNames,
  connIdOf,
  connect,
  deliveryOf,
  message,
  settingsMap,
  userName,
} from './fixtures.ts'
import type { State, StoredEvent } from '../../src/store/store.ts'
import type { Bench, OpenBench } from './bench.ts'

const LOUD = { notify_presence: true }
const LISTING = { notify_presence: true, broadcast_presence_with_user_lists: true }
const STATES = { notify_state: true }
const NO_SETTINGS = settingsMap({})
const WALL_TIME = '2030-01-01T00:00:00.000000'
const END = 'the end of the tests'

/** Records events in these channels from now on. Call the returned function once to wait for all of them. */
async function listenIn({ store, heard }: Bench, ...channels: string[]) {
  for (const name of [...channelNames(...channels), ...channelNames(END)])
    await store.listen(channelTopic(name))
  return async (): Promise<StoredEvent[]> => {
    await store.ensure(channelNames(END))
    await store.publish([message(END, { text: END })])
    const before = await heard.upTo(END)
    return before.map(({ event }) => event)
  }
}

const actions = (events: readonly StoredEvent[]) =>
  events.map(({ body }) => {
    const { action } = body['message'] as { action: string }
    return `${String(body['user'])} ${action} ${body.channel}`
  })

export function telling(openBench: OpenBench): void {
  describe('presence', () => {
    const loud = (...names: string[]) => Object.fromEntries(names.map((name) => [name, LOUD]))

    it('is told of the first connection of a user and of the last one, however it ends', async () => {
      const bench = await openBench()
      const { store } = bench
      const told = await listenIn(bench, 'room')
      const wishes = { channels: ['room'], configs: loud('room') }
      await connect(store, 'ann', { id: 1, ...wishes })
      await connect(store, 'ann', { id: 2, ...wishes })
      await connect(store, 'ann', { id: 3 })
      await store.join(connIdOf(3), channelNames('room'), NO_SETTINGS)
      await store.drop(connIdOf(1))
      await store.leave(connIdOf(2), channelNames('room'))
      await store.leave(connIdOf(2), channelNames('room'))
      await connect(store, 'bob', { id: 4, ...wishes })
      await store.drop(connIdOf(3))
      await store.drop(connIdOf(3))
      expect(actions(await told())).toEqual([
        'ann joined room',
        'bob joined room',
        'ann parted room',
      ])
    })

    it('is told as clients see it, and to others only', async () => {
      const bench = await openBench()
      const told = await listenIn(bench, 'room')
      const state = { mood: 'fine', pin: 1234 }
      const wishes = { channels: ['room'], configs: loud('room'), state, publicKeys: ['mood'] }
      await connect(bench.store, 'ann', wishes)
      await bench.store.drop(connIdOf(1))
      const [joined, parted] = await told()
      const common = { type: 'presence', user: 'ann', users: [], channel: 'room' }
      const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/) as string
      expect(joined?.body).toEqual({
        ...{ ...common, uuid, timestamp: WALL_TIME },
        ...{ message: { action: 'joined' }, state: { mood: 'fine' } },
      })
      expect(parted?.body).toEqual({
        ...{ ...common, uuid, timestamp: WALL_TIME },
        ...{ message: { action: 'parted' }, state: null },
      })
      expect(joined?.delivery).toEqual(deliveryOf({ excludeUsers: ['ann'] }))
      expect(parted?.delivery).toEqual(joined?.delivery)
      expect(joined?.body.uuid).not.toBe(parted?.body.uuid)
    })

    it('is kept for those who return, and not in the history', async () => {
      const bench = await openBench()
      const { store } = bench
      const configs = {
        room: { ...LOUD, store_history: true, history_size: 5, store_frames: true },
      }
      await connect(store, 'ann', { channels: ['room'], configs })
      const { events } = await store.missed([
        { topic: channelTopic(channelName('room')), after: 0 },
      ])
      expect(actions(events)).toEqual(['ann joined room'])
      const [room] = await store.channels(channelNames('room'), { users: true, history: true })
      expect(room?.history).toEqual([])
    })

    it('is told where it is switched on, in the order of the request', async () => {
      const bench = await openBench()
      const { store } = bench
      const told = await listenIn(bench, 'b', 'silent', 'a', 'c')
      const configs = loud('a', 'b', 'c')
      await connect(store, 'ann', { id: 1, channels: ['b', 'silent', 'a', 'b'], configs })
      await store.join(connIdOf(1), channelNames('c', 'a'), settingsMap(configs))
      await store.leave(connIdOf(1), channelNames('c', 'unknown', 'b'))
      expect(actions(await told())).toEqual([
        ...['ann joined b', 'ann joined a', 'ann joined c'],
        ...['ann parted c', 'ann parted b'],
      ])
    })

    it('is told of an ended connection in the order in which its channels were made', async () => {
      const bench = await openBench()
      const { store } = bench
      const names = ['m', 'z', 'a', 'k', 'b', 'x']
      await store.configure(settingsMap(loud(...names)))
      await connect(store, 'ann', { channels: names.toSorted() })
      const told = await listenIn(bench, ...names)
      await store.drop(connIdOf(1))
      expect(actions(await told())).toEqual(names.map((name) => `ann parted ${name}`))
    })

    it('is told once, when all connections of a user come and go at the same time', async () => {
      const bench = await openBench()
      const { store } = bench
      const told = await listenIn(bench, 'room')
      await store.configure(settingsMap(loud('room')))
      const ids = [1, 2, 3, 4]
      await Promise.all(ids.map((id) => connect(store, 'ann', { id, channels: ['room'] })))
      await Promise.all([...ids, ...ids].map(async (id) => store.drop(connIdOf(id))))
      expect(actions(await told())).toEqual(['ann joined room', 'ann parted room'])
    })

    it('goes by the settings that a channel has at that time', async () => {
      const bench = await openBench()
      const { store } = bench
      const told = await listenIn(bench, 'room')
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.configure(settingsMap({ room: LOUD }))
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      await store.configure(settingsMap({ room: {} }))
      await store.drop(connIdOf(1))
      expect(actions(await told())).toEqual(['bob joined room'])
    })

    it('counts as activity in the channel', async () => {
      const bench = await openBench()
      const { store, clock } = bench
      await connect(store, 'ann', { id: 1, channels: ['room'], configs: loud('room') })
      await clock.advance(1000)
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      const [room] = await store.channels(channelNames('room'), { users: false, history: false })
      expect(room?.lastActive).toBe(clock.wallTime())
    })
  })

  describe('lists of who is present', () => {
    const configs = { room: LISTING }

    it('have who joined, with the public state, and not who parted', async () => {
      const bench = await openBench()
      const { store } = bench
      await connect(store, 'ann', { id: 1, channels: ['room'], configs })
      const told = await listenIn(bench, 'room')
      const state = { mood: 'fine', pin: 1234 }
      await connect(store, 'bob', { id: 2, channels: ['room'], state, publicKeys: ['mood'] })
      await store.drop(connIdOf(1))
      const [joined, parted] = await told()
      const bob = { user: 'bob', state: { mood: 'fine' } }
      expect(joined?.body).toMatchObject({ users_total: 2 })
      expect(joined?.body['users']).toHaveLength(2)
      expect(joined?.body['users']).toEqual(
        expect.arrayContaining([{ user: 'ann', state: {} }, bob]),
      )
      expect(parted?.body).toMatchObject({ users: [bob], users_total: 1 })
    })

    it('are empty once nobody is there', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { channels: ['room'], configs })
      const told = await listenIn(bench, 'room')
      await bench.store.drop(connIdOf(1))
      const [parted] = await told()
      expect(parted?.body).toMatchObject({ users: [], users_total: 0 })
    })

    it('are cut at the limit, but count everyone', async () => {
      const bench = await openBench()
      for (const [id, user] of ['a', 'b', 'c', 'd'].entries())
        await connect(bench.store, user, { id, channels: ['room'], configs })
      const told = await listenIn(bench, 'room')
      await connect(bench.store, 'e', { id: 9, channels: ['room'] })
      const [joined] = await told()
      expect(joined?.body['users']).toHaveLength(3)
      expect(joined?.body).toMatchObject({ users_total: 5 })
    })

    it('are told only where presence is, and with it', async () => {
      const bench = await openBench()
      const told = await listenIn(bench, 'silent', 'short')
      const { broadcast_presence_with_user_lists } = LISTING
      await connect(bench.store, 'ann', {
        channels: ['silent', 'short'],
        configs: { silent: { broadcast_presence_with_user_lists }, short: LOUD },
      })
      const events = await told()
      expect(actions(events)).toEqual(['ann joined short'])
      expect(events[0]?.body).not.toHaveProperty('users_total')
    })
  })

  describe('a changed state', () => {
    const set = (bench: Bench, state: State, publicKeys?: readonly string[]) =>
      bench.store.setUserState(userName('ann'), state, publicKeys)

    it('is told in the channels of all connections that want to know, each once, as made', async () => {
      const bench = await openBench()
      const { store } = bench
      const configs = { loud: STATES, other: STATES, his: STATES, another: STATES }
      await store.configure(settingsMap(configs))
      await connect(store, 'ann', { id: 1, channels: ['loud', 'quiet', 'another'] })
      await connect(store, 'ann', { id: 2, channels: ['other', 'loud'] })
      await connect(store, 'bob', { id: 3, channels: ['his'] })
      const told = await listenIn(bench, 'another', 'other', 'loud', 'quiet', 'his')
      await set(bench, { a: 1 })
      expect((await told()).map(({ body }) => body.channel)).toEqual(['loud', 'other', 'another'])
    })

    it('is told to everyone, with what is public', async () => {
      const bench = await openBench()
      const { store } = bench
      await connect(store, 'ann', { channels: ['room'], configs: { room: STATES } })
      const told = await listenIn(bench, 'room')
      await set(bench, { mood: 'fine', pin: 1234, size: null, on: true }, ['mood', 'on', 'none'])
      const [event] = await told()
      expect(event?.body).toEqual({
        ...{ type: 'user_state_change', user: 'ann', timestamp: WALL_TIME, channel: 'room' },
        uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/) as string,
        message: {
          state: { mood: 'fine', on: true },
          changed: [
            { key: 'mood', value: 'fine' },
            { key: 'on', value: true },
          ],
        },
      })
      expect(event?.delivery).toEqual(deliveryOf())
    })

    it('is told also if nothing of it is public, and not if nothing changed', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { channels: ['room'], configs: { room: STATES } })
      const told = await listenIn(bench, 'room')
      await set(bench, { pin: 1 })
      await set(bench, { pin: 1, none: null })
      await set(bench, {}, ['pin'])
      const events = await told()
      expect(events.map(({ body }) => body['message'])).toEqual([{ state: {}, changed: [] }])
    })

    it('is told of keys that were made public, and of no others that look like them', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { channels: ['room'], configs: { room: STATES } })
      const told = await listenIn(bench, 'room')
      const open = ['say "a"', 'back\\', ',x', 'y,', 'ü/\u0001\u007f', '']
      const hidden = ['a', 'say \\"a', ',', '","', 'back', '\\', 'x', 'y', 'toString', 'i', 'k']
      const stateOf = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, 1]))
      await set(bench, stateOf([...open, ...hidden]), open)
      const [event] = await told()
      expect(event?.body['message']).toEqual({
        state: stateOf(open),
        changed: open.map((key) => ({ key, value: 1 })),
      })
    })

    it('goes by the settings that a channel has now', async () => {
      const bench = await openBench()
      await connect(bench.store, 'ann', { channels: ['room'] })
      const told = await listenIn(bench, 'room')
      await set(bench, { a: 1 })
      await bench.store.configure(settingsMap({ room: STATES }))
      await set(bench, { a: 2 })
      expect(await told()).toHaveLength(1)
    })
  })
}

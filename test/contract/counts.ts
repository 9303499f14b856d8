import { describe, expect, it } from 'vitest'
import {
  channelName,
  channelNames,
  connIdOf,
  connect,
  settingsMap,
  settingsOf,
  userNames,
} from './fixtures.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

/** ann with two connections and bob with one in `room`, ann with one in `other`, and nobody in `empty`. */
async function gather(store: Store): Promise<void> {
  await connect(store, 'ann', { id: 1, channels: ['room', 'other'] })
  await connect(store, 'ann', { id: 2, channels: ['room'] })
  await connect(store, 'bob', { id: 3, channels: ['room'] })
  await connect(store, 'cem', { id: 4 })
  await store.configure(settingsMap({ empty: {} }))
}

const counts = (name: string, connections: number, users: number) => ({
  name: channelName(name),
  connections,
  users,
})

export function countsOfStore(openBench: OpenBench): void {
  describe('counts', () => {
    it('are of the channels that are named, each once, without unknown ones', async () => {
      const { store } = await openBench()
      await gather(store)
      const names = channelNames('empty', 'typo', 'room', 'other', 'room')
      expect(await store.countChannels(names)).toEqual([
        counts('empty', 0, 0),
        counts('room', 3, 2),
        counts('other', 1, 1),
      ])
      expect(await store.countChannels([])).toEqual([])
    })

    it('follow who comes and goes', async () => {
      const { store } = await openBench()
      await gather(store)
      const room = channelNames('room')
      await store.leave(connIdOf(1), room)
      expect(await store.countChannels(room)).toEqual([counts('room', 2, 2)])
      await store.drop(connIdOf(2))
      expect(await store.countChannels(room)).toEqual([counts('room', 1, 1)])
      await store.join(connIdOf(4), room, new Map())
      expect(await store.countChannels(room)).toEqual([counts('room', 2, 2)])
    })

    it('are of thousands of channels, in the order of their names', async () => {
      const { store } = await openBench()
      const names = Array.from({ length: 2_500 }, (_, index) => channelName(`c${index}`))
      await store.configure(new Map(names.map((name) => [name, settingsOf()])))
      await connect(store, 'ann', { channels: ['c0', 'c2499', '__proto__'] })
      const counted = await store.countChannels([...names, channelName('__proto__')])
      expect(counted.map(({ name }) => name)).toEqual([...names, '__proto__'])
      expect(counted.filter(({ connections }) => connections > 0)).toEqual([
        counts('c0', 1, 1),
        counts('c2499', 1, 1),
        counts('__proto__', 1, 1),
      ])
    })

    it('are in the records of channels if they are requested, without users', async () => {
      const { store } = await openBench()
      await gather(store)
      const names = channelNames('room', 'empty')
      const include = { users: false, history: false, userCount: true }
      const expected = [
        { name: 'room', connections: 3, users: [], userCount: 2 },
        { name: 'empty', connections: 0, users: [], userCount: 0 },
      ]
      expect(await store.channels(names, include)).toMatchObject(expected)
      expect((await store.describe(names, include, 100)).channels).toMatchObject(expected)
      const plain = { users: false, history: false }
      for (const record of await store.channels(names, plain))
        expect(record).not.toHaveProperty('userCount')
    })
  })

  describe('who is where', () => {
    it('is told by the connections of each user, and the channels of each connection', async () => {
      const { store } = await openBench()
      await gather(store)
      const found = await store.connectionsOf(userNames('bob', 'nobody', 'ann', 'bob'))
      expect(found.map((connections) => [...connections].sort())).toEqual([
        [connIdOf(3)],
        [],
        [connIdOf(1), connIdOf(2)],
        [connIdOf(3)],
      ])
      const ids = [2, 9, 1, 4].map(connIdOf)
      const channels = await store.channelsOf(ids)
      expect(channels.map((names) => [...names].sort())).toEqual([
        ['room'],
        [],
        ['other', 'room'],
        [],
      ])
    })

    it('changes as users come and go', async () => {
      const { store } = await openBench()
      await gather(store)
      await store.leave(connIdOf(1), channelNames('room'))
      await store.drop(connIdOf(2))
      expect(await store.connectionsOf(userNames('ann'))).toEqual([[connIdOf(1)]])
      expect(await store.channelsOf([1, 2].map(connIdOf))).toEqual([['other'], []])
    })

    it('is told of many, in the order of the request', async () => {
      const { store } = await openBench()
      const numbers = Array.from({ length: 600 }, (_, index) => index + 1)
      for (const id of numbers) await connect(store, `user ${id}`, { id, channels: [`c${id}`] })
      const names = userNames(...numbers.map((id) => `user ${id}`))
      expect(await store.connectionsOf(names)).toEqual(numbers.map((id) => [connIdOf(id)]))
      expect(await store.channelsOf(numbers.map(connIdOf))).toEqual(numbers.map((id) => [`c${id}`]))
    })
  })
}

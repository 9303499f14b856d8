import { describe, expect, it } from 'vitest'
import { CONTRACT_OPTIONS } from './bench.ts'
import {
  attach,
  channelName,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
  userName,
} from './fixtures.ts'
import type { ConnId } from '../../src/protocol/ids.ts'
import type { Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const NO_SETTINGS = settingsMap({})
const ROOM = channelNames('room')

/** The event number after which the connection may catch up in the channel. */
async function sinceOf(store: Store, connId: ConnId): Promise<number | undefined> {
  const attachment = await attach(store, connId)
  return attachment?.channels.find(({ name }) => name === channelName('room'))?.since
}

/** Publishes a message in the channel. Returns its number. */
async function say(store: Store, count = 1): Promise<number> {
  await store.publish(Array.from({ length: count }, () => message('room')))
  return (await store.missed([])).head
}

const rejoin = (store: Store, number: number) => store.join(connIdOf(number), ROOM, NO_SETTINGS)

export function removals(openBench: OpenBench): void {
  describe('who was taken out of a channel', () => {
    it('catches up from the new joining on, by the same connection, opened or not', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['room'] })
      await attach(store, connIdOf(2))
      for (const number of [1, 2]) await store.leave(connIdOf(number), ROOM)
      const said = await say(store, 3)
      for (const number of [1, 2]) await rejoin(store, number)
      await say(store)
      expect(await sinceOf(store, connIdOf(1))).toBe(said)
      expect(await sinceOf(store, connIdOf(2))).toBe(said)
    })

    it('does so by a new connection, in every way of joining, and ever after', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.leave(connIdOf(1), ROOM)
      const said = await say(store, 3)
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      await say(store)
      await connect(store, 'ann', { id: 3 })
      await rejoin(store, 3)
      await store.drop(connIdOf(2))
      await say(store)
      await connect(store, 'ann', { id: 4, channels: ['room'] })
      for (const number of [3, 4]) expect(await sinceOf(store, connIdOf(number))).toBe(said)
    })

    it('does so also when the user was forgotten meanwhile', async () => {
      const { store, clock } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 9, channels: ['room'] })
      await attach(store, connIdOf(9))
      await store.leave(connIdOf(1), ROOM)
      await store.drop(connIdOf(1))
      for (let round = 0; round < 5 && (await store.hasUser(userName('ann'))); round++) {
        await clock.advance(3_600_000)
        await store.sweep()
      }
      expect(await store.hasUser(userName('ann'))).toBe(false)
      const said = await say(store)
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      expect(await sinceOf(store, connIdOf(2))).toBe(said)
    })

    it('by two connections, one after the other, is out with the last of them', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      await store.leave(connIdOf(1), ROOM)
      await say(store)
      await store.leave(connIdOf(2), ROOM)
      const said = await say(store)
      await connect(store, 'ann', { id: 3, channels: ['room'] })
      expect(await sinceOf(store, connIdOf(3))).toBe(said)
    })

    it('by one connection of two is still in: only that connection begins anew', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      await store.leave(connIdOf(1), ROOM)
      const said = await say(store)
      await rejoin(store, 1)
      await connect(store, 'ann', { id: 3, channels: ['room'] })
      expect(await sinceOf(store, connIdOf(1))).toBe(said)
      expect(await sinceOf(store, connIdOf(2))).toBe(0)
      expect(await sinceOf(store, connIdOf(3))).toBe(0)
    })

    it('is told from who went away, and from everybody else', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await connect(store, 'bob', { id: 2, channels: ['room', 'other'] })
      await store.leave(connIdOf(1), ROOM)
      await store.leave(connIdOf(2), channelNames('other'))
      await store.drop(connIdOf(2))
      await say(store)
      await connect(store, 'bob', { id: 3, channels: ['room'] })
      await connect(store, 'eve', { id: 4, channels: ['room'] })
      for (const number of [3, 4]) expect(await sinceOf(store, connIdOf(number))).toBe(0)
    })

    it('is remembered among the latest, of whom there is room for so many', async () => {
      const { store } = await openBench()
      const { maxRemovals } = CONTRACT_OPTIONS
      for (let number = 1; number <= maxRemovals + 1; number++) {
        await connect(store, `user-${number}`, { id: number, channels: ['room'] })
        await store.leave(connIdOf(number), ROOM)
        await say(store)
      }
      const said = await say(store)
      for (let number = 1; number <= maxRemovals + 1; number++) {
        await rejoin(store, number)
        expect(await sinceOf(store, connIdOf(number)), `user ${number}`).toBe(
          number === 1 ? 0 : said,
        )
      }
    })

    it('makes room when nothing is left that it would keep from anybody', async () => {
      const { store } = await openBench()
      const { maxRemovals, channelFrames } = CONTRACT_OPTIONS
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.leave(connIdOf(1), ROOM)
      for (let number = 2; number <= maxRemovals; number++) {
        await connect(store, `user-${number}`, { id: number, channels: ['room'] })
        await store.leave(connIdOf(number), ROOM)
        await rejoin(store, number)
      }
      await say(store, channelFrames + 1)
      await connect(store, 'zoe', { id: 99, channels: ['room'] })
      await store.leave(connIdOf(99), ROOM)
      const said = await say(store)
      for (const number of [1, 99]) {
        await rejoin(store, number)
        expect(await sinceOf(store, connIdOf(number))).toBe(said)
      }
    })

    it('is not known any more in a channel that was made anew', async () => {
      const { store, clock } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.leave(connIdOf(1), ROOM)
      for (let round = 0; round < 5 && (await store.channelNames()).length > 0; round++) {
        await clock.advance(3_600_000)
        await store.sweep()
      }
      expect(await store.channelNames()).toEqual([])
      await connect(store, 'ann', { id: 2, channels: ['room'] })
      expect(await sinceOf(store, connIdOf(2))).toBe(0)
    })
  })
}

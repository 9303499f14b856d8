import { describe, expect, it } from 'vitest'
import {
  channelNames,
  connIdOf,
  connect,
  edit,
  message,
  notice,
  retraction,
  settingsMap,
  whisper,
} from './fixtures.ts'
import type { Publication, Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

/** ann with two connections and bob with one in `room`, cem elsewhere. */
async function gather(store: Store): Promise<void> {
  await connect(store, 'ann', { id: 1, channels: ['room'] })
  await connect(store, 'ann', { id: 2, channels: ['room'] })
  await connect(store, 'bob', { id: 3, channels: ['room'] })
  await connect(store, 'cem', { id: 4, channels: ['elsewhere'] })
}

export function figures(openBench: OpenBench): void {
  describe('figures', () => {
    it('count users, connections and channels', async () => {
      const { store } = await openBench()
      const nothing = { users: 0, connectedUsers: 0, connections: 0, channels: 0 }
      expect(await store.figures()).toMatchObject({ ...nothing, messages: 0, deliveries: 0 })
      await gather(store)
      await store.configure(settingsMap({ third: {}, room: {} }))
      expect(await store.figures()).toMatchObject({
        users: 3,
        connectedUsers: 3,
        connections: 4,
        channels: 3,
      })
      await store.drop(connIdOf(1))
      await store.drop(connIdOf(3))
      expect(await store.figures()).toMatchObject({
        users: 3,
        connectedUsers: 2,
        connections: 2,
        channels: 3,
      })
    })

    it.each<[string, Publication, number]>([
      ['everyone in the channel', message('room'), 3],
      ['all but the excluded ones', message('room', { excludeUsers: ['ann', 'cem', 'ann'] }), 1],
      ['the users it is for, if they are there', message('room', { pmUsers: ['ann', 'cem'] }), 2],
      ['a user that is named twice, once', message('room', { pmUsers: ['ann', 'ann'] }), 2],
      [
        'the users it is for but the excluded ones',
        message('room', { pmUsers: ['ann', 'bob'], excludeUsers: ['ann'] }),
        1,
      ],
      ['all connections of those who get it in private', whisper(['ann', 'cem', 'ann']), 3],
      ['nobody in a channel that is not known', message('unknown'), 0],
      ['nobody, if the user is not known', whisper(['unknown']), 0],
    ])('count a message once, and once for %s', async (_, publication, deliveries) => {
      const { store } = await openBench()
      await gather(store)
      await store.publish([publication])
      expect(await store.figures()).toMatchObject({ messages: 1, deliveries })
    })

    it('do not count as members who have left', async () => {
      const { store } = await openBench()
      await gather(store)
      await store.leave(connIdOf(1), channelNames('room'))
      await store.publish([message('room')])
      expect(await store.figures()).toMatchObject({ deliveries: 2 })
    })

    it('count messages only, not edits, deletes and notices', async () => {
      const { store } = await openBench()
      await gather(store)
      await store.publish([edit('room'), retraction('room'), notice('room')])
      expect(await store.figures()).toMatchObject({ messages: 0, deliveries: 0 })
    })
  })
}

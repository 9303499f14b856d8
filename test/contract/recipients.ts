import { describe, expect, it } from 'vitest'
import {
  channelName,
  channelNames,
  connIdOf,
  connect,
  edit,
  inSeveral,
  message,
  settingsMap,
  textsOf,
  whisper,
} from './fixtures.ts'
import type { Publication, Recipients, Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

/** ann with two connections and bob with one in `room`, cem in `other` with ann's first one, and dan nowhere. */
async function gather(store: Store): Promise<void> {
  await connect(store, 'ann', { id: 1, channels: ['room', 'other'] })
  await connect(store, 'ann', { id: 2, channels: ['room'] })
  await connect(store, 'bob', { id: 3, channels: ['room'] })
  await connect(store, 'cem', { id: 4, channels: ['other'] })
  await connect(store, 'dan', { id: 5 })
  await connect(store, 'gone', { id: 6, channels: ['room'] })
  await store.drop(connIdOf(6))
  await store.configure(settingsMap({ empty: {} }))
}

const all = (connections: number, users: number, ...unknown: string[]): Recipients => ({
  connections,
  users,
  unknownChannels: channelNames(...unknown),
})

const CASES: readonly (readonly [string, Publication, Recipients])[] = [
  ['in a channel: its members', message('room'), all(3, 2)],
  ['in an empty channel: nobody', message('empty'), all(0, 0)],
  ['in an unknown channel: nobody, and it is named', message('typo'), all(0, 0, 'typo')],
  [
    'that excludes users, one of them twice: the others',
    message('room', { excludeUsers: ['ann', 'cem', 'ann'] }),
    all(1, 1),
  ],
  [
    'for some: those who are members, each once',
    message('room', { pmUsers: ['ann', 'ann', 'cem', 'nobody'] }),
    all(2, 1),
  ],
  [
    'for some without others: an exclusion wins',
    message('room', { pmUsers: ['ann', 'bob'], excludeUsers: ['ann'] }),
    all(1, 1),
  ],
  [
    'without a channel: users with a connection, wherever they are, each once',
    whisper(['ann', 'dan', 'dan', 'gone', 'nobody']),
    all(3, 2),
  ],
  ['without a channel, for nobody that is known', whisper(['nobody']), all(0, 0)],
  [
    'in several channels: the members of each',
    inSeveral(['room', 'other', 'empty'], message('room')),
    all(5, 4),
  ],
  [
    'in several channels, some unknown: these are named in their order',
    inSeveral(['typo', 'room', 'mistake'], message('room', { excludeUsers: ['bob'] })),
    all(2, 1, 'typo', 'mistake'),
  ],
]

export function recipients(openBench: OpenBench): void {
  describe('the recipients of a message', () => {
    it.each(CASES)('%s', async (_, publication, expected) => {
      const { store } = await openBench()
      await gather(store)
      expect(await store.publishAndCount([publication])).toEqual([expected])
    })

    it('are told for each message of a list, in its order', async () => {
      const { store } = await openBench()
      await gather(store)
      const publications = CASES.map(([, publication]) => publication)
      expect(await store.publishAndCount(publications)).toEqual(
        CASES.map(([, , expected]) => expected),
      )
      expect(await store.publishAndCount([])).toEqual([])
    })

    it('count connections whose client is away', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['room'] })
      await store.attach(connIdOf(1), 'poll')
      await store.detach(connIdOf(1), 1, 10_000)
      expect(await store.publishAndCount([message('room')])).toEqual([all(1, 1)])
    })

    it('are those of the figures', async () => {
      const { store } = await openBench()
      await gather(store)
      const counted = await store.publishAndCount(CASES.map(([, publication]) => publication))
      const deliveries = (counted ?? []).reduce((sum, { connections }) => sum + connections, 0)
      expect(await store.figures()).toMatchObject({ messages: CASES.length, deliveries })
    })

    it('are counted once the message is published like any other', async () => {
      const { store } = await openBench()
      await store.configure(settingsMap({ room: { store_history: true } }))
      await store.publishAndCount([message('room', { text: 'hello' })])
      const [room] = await store.channels(channelNames('room'), { users: false, history: true })
      expect(textsOf(room?.history ?? [])).toEqual(['hello'])
      expect(room?.name).toBe(channelName('room'))
    })

    it('are none of an edit', async () => {
      const { store } = await openBench()
      await gather(store)
      expect(await store.publishAndCount([edit('room'), message('room')])).toEqual([
        all(0, 0),
        all(3, 2),
      ])
    })
  })
}

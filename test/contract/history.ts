import { describe, expect, it } from 'vitest'
import {
  allChannels,
  channelNames,
  connect,
  edit,
  message,
  notice,
  privately,
  retraction,
  settingsMap,
  textsOf,
  uuidOf,
  whisper,
} from './fixtures.ts'
import type { ChannelSettings } from '../../src/protocol/requests.ts'
import type { Store, StoredEvent } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

async function historyOf(store: Store, channel = 'room'): Promise<readonly StoredEvent[]> {
  const [record] = await store.channels(channelNames(channel), { users: false, history: true })
  return record?.history ?? []
}

const texts = async (store: Store) => textsOf(await historyOf(store))

async function say(store: Store, ...said: string[]): Promise<void> {
  await store.publish(said.map((text, index) => message('room', { text, uuid: uuidOf(index) })))
}

const configure = (store: Store, settings: Partial<ChannelSettings>) =>
  store.configure(settingsMap({ room: { store_history: true, ...settings } }))

export function history(openBench: OpenBench): void {
  describe('history', () => {
    it('holds the last messages, oldest first, up to its size', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 3 })
      await say(store, 'a', 'b')
      expect(await texts(store)).toEqual(['a', 'b'])
      await say(store, 'c', 'd', 'e')
      expect(await texts(store)).toEqual(['c', 'd', 'e'])
    })

    it('holds nothing if its size is 0', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 0 })
      await say(store, 'a')
      expect(await texts(store)).toEqual([])
    })

    it('is cut when its size shrinks, and grows when it grows', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 3 })
      await say(store, 'a', 'b', 'c')
      await configure(store, { history_size: 2 })
      expect(await texts(store)).toEqual(['b', 'c'])
      await configure(store, { history_size: 4 })
      await say(store, 'd', 'e', 'f')
      expect(await texts(store)).toEqual(['c', 'd', 'e', 'f'])
      await configure(store, { history_size: 0 })
      expect(await texts(store)).toEqual([])
    })

    it('stays when it is switched off, but nothing is added', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a')
      await configure(store, { store_history: false })
      await say(store, 'b')
      expect(await texts(store)).toEqual(['a'])
      await configure(store, {})
      await say(store, 'c')
      expect(await texts(store)).toEqual(['a', 'c'])
    })

    it('is empty unless it is asked for', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a')
      const [record] = await allChannels(store, { users: true, history: false })
      expect(record?.history).toEqual([])
    })

    it('does not hold messages that ask for it, nor do they push others out', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 2 })
      await say(store, 'a', 'b')
      await store.publish([message('room', { text: 'c', noHistory: true })])
      expect(await texts(store)).toEqual(['a', 'b'])
    })

    it('holds messages only, with how they were delivered', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await connect(store, 'ann', { channels: ['room'] })
      const kept = message('room', { text: 'kept', pmUsers: ['ann'], excludeUsers: ['bob'] })
      await store.publish([notice('room'), kept, whisper(['ann'])])
      const held = await historyOf(store)
      expect(held).toHaveLength(1)
      expect(held[0]).toMatchObject(kept)
    })

    it('shows an edit in the place of the message, under its number', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a', 'b', 'c')
      const before = await historyOf(store)
      await store.publish([edit('room', { uuid: uuidOf(1), text: 'B' })])
      expect(await texts(store)).toEqual(['a', 'B', 'c'])
      const after = await historyOf(store)
      expect(after.map(({ n, id }) => [n, id])).toEqual(before.map(({ n, id }) => [n, id]))
    })

    it('changes by an edit the timestamp, user, message and mark of it, nothing else', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a')
      const [before] = await historyOf(store)
      const changes = {
        timestamp: '2031-01-01T00:00:00',
        user: 'editor',
        message: { text: 'A' },
        edited: '2032-01-01T00:00:00',
      }
      const more = { ...changes, mood: 'new key', catchup: true }
      await store.publish([
        edit('room', { uuid: uuidOf(0), more, pmUsers: ['ann'], noHistory: true }),
      ])
      const [after] = await historyOf(store)
      expect(after).toEqual({ ...before, body: { ...before?.body, ...changes } })
    })

    it('keeps what an edit does not name', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a')
      const [before] = await historyOf(store)
      await store.publish([edit('room', { uuid: uuidOf(0), more: { timestamp: undefined } })])
      const [after] = await historyOf(store)
      const edited = '2030-01-01T00:01:00.000000'
      expect(after).toEqual({ ...before, body: { ...before?.body, edited } })
    })

    it('changes by an edit, and loses by a delete, the first message of several with one uuid', async () => {
      const { store } = await openBench()
      await configure(store, {})
      const uuid = uuidOf(1)
      await store.publish(['a', 'b', 'c'].map((text) => message('room', { text, uuid })))
      await store.publish([edit('room', { uuid, text: 'A' })])
      expect(await texts(store)).toEqual(['A', 'b', 'c'])
      await store.publish([retraction('room', { uuid })])
      expect(await texts(store)).toEqual(['b', 'c'])
      await store.publish([edit('room', { uuid, text: 'B' })])
      expect(await texts(store)).toEqual(['B', 'c'])
    })

    it('is changed by edits and deletes also while it is switched off', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await say(store, 'a', 'b')
      await configure(store, { store_history: false })
      await store.publish([
        edit('room', { uuid: uuidOf(0), text: 'A' }),
        retraction('room', { uuid: uuidOf(1) }),
      ])
      expect(await texts(store)).toEqual(['A'])
    })

    it('is not changed from another channel, nor by what is not in it', async () => {
      const { store } = await openBench()
      await configure(store, {})
      await store.configure(settingsMap({ other: { store_history: true } }))
      await connect(store, 'ann', { channels: ['room'] })
      await say(store, 'a')
      await store.publish([
        edit('other', { uuid: uuidOf(0), text: 'A' }),
        retraction('other', { uuid: uuidOf(0) }),
        privately(['ann'], edit('room', { uuid: uuidOf(0), text: 'A' })),
        edit('room', { uuid: uuidOf(7), text: 'A' }),
        retraction('room', { uuid: uuidOf(7) }),
      ])
      expect(await texts(store)).toEqual(['a'])
    })

    it('is handed out as it was: edits, deletes and new messages do not reach it', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 2 })
      await say(store, 'a', 'b')
      const held = await historyOf(store)
      const before = structuredClone(held)
      await store.publish([
        edit('room', { uuid: uuidOf(1), text: 'B' }),
        retraction('room', { uuid: uuidOf(0) }),
      ])
      await say(store, 'c', 'd')
      expect(held).toEqual(before)
    })
  })

  describe('the last activity of a channel', () => {
    it('moves with every event in it', async () => {
      const { store, clock } = await openBench()
      await configure(store, {})
      const lastActive = async () =>
        (await allChannels(store, { users: false, history: false }))[0]?.lastActive
      expect(await lastActive()).toBe(clock.wallTime())
      const made = clock.wallTime()
      await clock.advance(1000)
      expect(await lastActive()).toBe(made)
      for (const event of [message('room'), notice('room'), edit('room'), retraction('room')]) {
        await clock.advance(1000)
        await store.publish([event])
        expect(await lastActive()).toBe(clock.wallTime())
      }
    })
  })
}

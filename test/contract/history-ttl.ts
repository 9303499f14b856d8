import { describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import { channelName, edit, message, retraction, settingsMap, textsOf, uuidOf } from './fixtures.ts'
import type { ChannelSettings } from '../../src/protocol/requests.ts'
import type { Store } from '../../src/store/store.ts'
import type { Bench, OpenBench } from './bench.ts'

const ROOM = channelName('room')
const TOPIC = channelTopic(ROOM)
const TTL_MS = 10_000
/** The maximum delay of a deadline. */
const LATE_MS = 300

const configure = (store: Store, settings: Partial<ChannelSettings> = {}) =>
  store.configure(settingsMap({ room: { store_history: true, history_ttl: 10, ...settings } }))

const say = (store: Store, text: string) =>
  store.publish([message('room', { text, uuid: uuidOf(text.length) })])

/** What every way of reading the history shows. They have to agree. */
async function shown(store: Store): Promise<unknown[]> {
  const [record] = await store.channels([ROOM], { users: false, history: true })
  const texts = textsOf(record?.history ?? [])
  const [some] = await store.channels([ROOM], { users: false, history: 100 })
  expect(textsOf(some?.history ?? [])).toEqual(texts)
  const { channels } = await store.describe([ROOM], { users: true, history: true }, 10)
  expect(textsOf(channels[0]?.history ?? [])).toEqual(texts)
  for (const isBackward of [false, true]) {
    const part = await store.history(ROOM, { isBackward, most: 100 })
    const inOrder = isBackward ? part?.events.toReversed() : part?.events
    expect(textsOf(inOrder ?? [])).toEqual(texts)
  }
  return texts
}

/** What is really kept, as far as it can be seen. */
async function keptIn(store: Store): Promise<number> {
  for await (const part of store.scanChannels())
    for (const { name, history } of part) if (name === ROOM) return history
  return 0
}

async function sweepAll({ store, clock }: Bench): Promise<void> {
  await clock.advance(LATE_MS)
  await store.sweep()
}

export function historyTtl(openBench: OpenBench): void {
  describe('a history_ttl', () => {
    it('is among the settings, and 0 by default', async () => {
      const { store } = await openBench()
      await configure(store, { history_ttl: 3600 })
      await store.configure(settingsMap({ other: {} }))
      const records = await store.channels([ROOM, channelName('other')], {
        users: false,
        history: false,
      })
      expect(records.map(({ settings }) => settings.history_ttl)).toEqual([3600, 0])
    })

    it('hides each message when it is as old as that, not before', async () => {
      const { store, clock } = await openBench()
      await configure(store)
      await say(store, 'a')
      await clock.advance(TTL_MS / 2)
      await say(store, 'bb')
      await clock.advance(TTL_MS / 2 - 1)
      expect(await shown(store)).toEqual(['a', 'bb'])
      await clock.advance(1)
      expect(await shown(store)).toEqual(['bb'])
      await clock.advance(TTL_MS / 2)
      expect(await shown(store)).toEqual([])
    })

    it('lets the sweep remove them, also one after the other', async () => {
      const bench = await openBench()
      const { store, clock } = bench
      await configure(store)
      for (const text of ['a', 'bb', 'ccc']) {
        await say(store, text)
        await clock.advance(1000)
      }
      expect(await keptIn(store)).toBe(3)
      await clock.advance(TTL_MS - 3000)
      await sweepAll(bench)
      expect(await keptIn(store)).toBe(2)
      await clock.advance(TTL_MS)
      await sweepAll(bench)
      expect(await keptIn(store)).toBe(0)
      await say(store, 'dddd')
      await clock.advance(TTL_MS)
      await sweepAll(bench)
      expect(await keptIn(store)).toBe(0)
    })

    it('counts from the publishing, not from an edit', async () => {
      const { store, clock } = await openBench()
      await configure(store)
      await say(store, 'a')
      await clock.advance(TTL_MS - 1000)
      await store.publish([edit('room', { uuid: uuidOf(1), text: 'A' })])
      expect(await shown(store)).toEqual(['A'])
      await clock.advance(1000)
      expect(await shown(store)).toEqual([])
    })

    it('does not get in the way of deletes', async () => {
      const { store, clock } = await openBench()
      await configure(store)
      for (const text of ['a', 'bb', 'ccc']) {
        await say(store, text)
        await clock.advance(1000)
      }
      await store.publish([retraction('room', { uuid: uuidOf(2) })])
      expect(await shown(store)).toEqual(['a', 'ccc'])
      await clock.advance(TTL_MS - 3000)
      expect(await shown(store)).toEqual(['ccc'])
    })

    it('may be set, changed and removed later, and counts from the publishing all the same', async () => {
      const bench = await openBench()
      const { store, clock } = bench
      await configure(store, { history_ttl: 0 })
      await say(store, 'a')
      await clock.advance(100_000)
      await say(store, 'bb')
      await sweepAll(bench)
      expect(await shown(store)).toEqual(['a', 'bb'])
      await configure(store, { history_ttl: 200 })
      expect(await shown(store)).toEqual(['a', 'bb'])
      await configure(store)
      expect(await shown(store)).toEqual(['bb'])
      await configure(store, { history_ttl: 0 })
      await clock.advance(1_000_000)
      await say(store, 'ccc')
      await configure(store)
      await sweepAll(bench)
      expect([await shown(store), await keptIn(store)]).toEqual([['ccc'], 1])
    })

    it('holds in a channel that switched its history off', async () => {
      const { store, clock } = await openBench()
      await configure(store)
      await say(store, 'a')
      await configure(store, { store_history: false })
      await clock.advance(TTL_MS)
      expect(await shown(store)).toEqual([])
    })

    it('is given to a channel that is made by joining or ensuring it', async () => {
      const { store } = await openBench()
      const settings = settingsMap({ room: { history_ttl: 5, store_history: true } })
      await store.ensure([ROOM], settings)
      const [record] = await store.channels([ROOM], { users: false, history: false })
      expect(record?.settings).toMatchObject({ history_ttl: 5, store_history: true })
    })

    it('hides frames too: who missed them gets a gap', async () => {
      const bench = await openBench()
      const { store, clock } = bench
      await configure(store)
      const { head } = await store.missed([])
      const missed = () => store.missed([{ topic: TOPIC, after: head }])
      await say(store, 'a')
      await clock.advance(TTL_MS / 2)
      await say(store, 'bb')
      await clock.advance(TTL_MS / 2 - 1)
      expect(await missed()).toMatchObject({ gaps: [], head: head + 2 })
      await clock.advance(1)
      for (const isSwept of [false, true]) {
        if (isSwept) await sweepAll(bench)
        const { events, gaps, lost } = await missed()
        expect(textsOf(events)).toEqual(['bb'])
        expect([gaps, lost.get(TOPIC)]).toEqual([[TOPIC], head + 1])
        expect(await store.missed([{ topic: TOPIC, after: head + 1 }])).toMatchObject({ gaps: [] })
      }
      await clock.advance(TTL_MS)
      for (const isSwept of [false, true]) {
        if (isSwept) await sweepAll(bench)
        const { events, lost } = await missed()
        expect([events, lost.get(TOPIC)]).toEqual([[], head + 2])
        expect(await store.missed([{ topic: TOPIC, after: head + 2 }])).toMatchObject({ gaps: [] })
      }
      await say(store, 'ccc')
      const later = await store.missed([{ topic: TOPIC, after: head + 2 }])
      expect([textsOf(later.events), later.gaps]).toEqual([['ccc'], []])
    })

    it('removes a long history little by little', async () => {
      const bench = await openBench()
      const { store, clock } = bench
      await configure(store, { history_size: 5_000 })
      for (let round = 0; round < 4; round++)
        await store.publish(
          Array.from({ length: 1_000 }, (_, index) =>
            message('room', { text: 'old', uuid: uuidOf(1000 * round + index) }),
          ),
        )
      await clock.advance(TTL_MS / 2)
      await store.publish([message('room', { text: 'young', uuid: uuidOf(9_999) })])
      await clock.advance(TTL_MS / 2)
      expect(await shown(store)).toEqual(['young'])
      for (let sweeps = 0; (await keptIn(store)) > 1 && sweeps < 20; sweeps++) await sweepAll(bench)
      expect(await keptIn(store)).toBe(1)
      await store.publish([edit('room', { uuid: uuidOf(9_999), text: 'edited' })])
      expect(await shown(store)).toEqual(['edited'])
    })
  })
}

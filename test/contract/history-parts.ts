import { describe, expect, it } from 'vitest'
import {
  channelName,
  channelNames,
  edit,
  message,
  retraction,
  settingsMap,
  textsOf,
  uuidOf,
} from './fixtures.ts'
import type { ChannelSettings } from '../../src/protocol/requests.ts'
import type { HistoryPart, HistoryRange, Store, StoredEvent } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const ROOM = channelName('room')
const LARGE = 'x'.repeat(20_000)

const configure = (store: Store, settings: Partial<ChannelSettings> = {}) =>
  store.configure(settingsMap({ room: { store_history: true, history_size: 1_000, ...settings } }))

const said = (first: number, last: number, suffix = '') =>
  Array.from({ length: last - first + 1 }, (_, index) => {
    const number = first + index
    return message('room', { text: `${number}${suffix}`, uuid: uuidOf(number) })
  })

/** Returns a part of the history of the room. */
async function part(store: Store, range: Partial<HistoryRange> = {}): Promise<HistoryPart> {
  const found = await store.history(ROOM, { isBackward: false, most: 100, ...range })
  if (!found) throw new Error('the channel is unknown')
  return found
}

/** Reads part by part. Calls `between` after each. */
async function walk(
  store: Store,
  { isBackward, most }: Pick<HistoryRange, 'isBackward' | 'most'>,
  between: () => unknown = () => {},
): Promise<StoredEvent[]> {
  const read: StoredEvent[] = []
  for (let isMore = true; isMore;) {
    const last = read.at(-1)?.n
    const found = await part(store, { isBackward, most, [isBackward ? 'before' : 'after']: last })
    expect(found.events.length).toBeLessThanOrEqual(most)
    read.push(...found.events)
    isMore = found.isMore
    await between()
  }
  return read
}

const numbers = (first: number, last: number) =>
  said(first, last).map((publication) => textsOf([publication])[0])

export function historyParts(openBench: OpenBench): void {
  describe('a part of a history', () => {
    it('begins with the oldest message or the newest, and says if there are more', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 5))
      const forward = await part(store, { most: 2 })
      expect([textsOf(forward.events), forward.isMore]).toEqual([['1', '2'], true])
      const backward = await part(store, { most: 2, isBackward: true })
      expect([textsOf(backward.events), backward.isMore]).toEqual([['5', '4'], true])
      for (const isBackward of [false, true]) {
        const whole = await part(store, { most: 5, isBackward })
        expect([whole.events.length, whole.isMore]).toEqual([5, false])
      }
    })

    it('has messages after a number, before a number, or between two', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 9))
      const { events } = await part(store)
      const n = (number: number) => events[number - 1]?.n
      const texts = async (range: Partial<HistoryRange>) =>
        textsOf((await part(store, range)).events)
      expect(await texts({ after: n(7) })).toEqual(['8', '9'])
      expect(await texts({ after: n(7), isBackward: true })).toEqual(['9', '8'])
      expect(await texts({ before: n(3) })).toEqual(['1', '2'])
      expect(await texts({ before: n(3), isBackward: true })).toEqual(['2', '1'])
      expect(await texts({ after: n(2), before: n(5) })).toEqual(['3', '4'])
      expect(await texts({ after: n(2), before: n(5), isBackward: true, most: 1 })).toEqual(['4'])
      expect(await texts({ after: n(9) })).toEqual([])
      expect(await texts({ before: n(1), isBackward: true })).toEqual([])
      expect(await texts({ before: 0 })).toEqual([])
      expect(await texts({ after: 2 ** 53 - 1 })).toEqual([])
      expect(await texts({ before: 2 ** 53 - 1, most: 1, isBackward: true })).toEqual(['9'])
    })

    it('may be read from a message that is not there any more', async () => {
      const { store } = await openBench()
      await configure(store, { history_size: 6 })
      await store.publish(said(1, 6))
      const { events } = await part(store)
      await store.publish([retraction('room', { uuid: uuidOf(4) }), ...said(7, 9)])
      const [gone, cut] = [events[3]?.n, events[0]?.n]
      expect(textsOf((await part(store, { after: gone })).events)).toEqual([
        '5',
        '6',
        '7',
        '8',
        '9',
      ])
      expect(textsOf((await part(store, { before: gone, isBackward: true })).events)).toEqual(['3'])
      expect(textsOf((await part(store, { after: cut, most: 1 })).events)).toEqual(['3'])
      expect(await part(store, { before: cut, isBackward: true })).toEqual({
        events: [],
        isMore: false,
      })
    })

    it('shows what was edited, with its number, and not what was deleted', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 4))
      const before = await part(store)
      await store.publish([
        edit('room', { uuid: uuidOf(2), text: 'two' }),
        retraction('room', { uuid: uuidOf(3) }),
      ])
      const after = await part(store)
      expect(textsOf(after.events)).toEqual(['1', 'two', '4'])
      expect(after.events[1]?.n).toBe(before.events[1]?.n)
      expect(after.events[0]).toEqual(before.events[0])
    })

    it('is empty in a channel without a history, and unknown in an unknown channel', async () => {
      const { store } = await openBench()
      await configure(store, { store_history: false })
      await store.publish(said(1, 2))
      expect(await part(store)).toEqual({ events: [], isMore: false })
      expect(
        await store.history(channelName('nowhere'), { isBackward: false, most: 1 }),
      ).toBeUndefined()
    })

    it('is what a record of the channel has, if the history is short', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish([
        ...said(1, 3),
        message('room', { text: 'x', pmUsers: ['ann'], excludeUsers: ['bob'] }),
      ])
      const [record] = await store.channels([ROOM], { users: false, history: true })
      expect(record?.moreHistory).toBeUndefined()
      expect((await part(store)).events).toEqual(record?.history)
    })

    it('has at least one message, however large it is', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 4, LARGE))
      for (const isBackward of [false, true]) {
        const { events } = await part(store, { enough: 1, isBackward })
        expect(events.length).toBeGreaterThan(0)
        expect(events[0]?.body.uuid).toBe(uuidOf(isBackward ? 4 : 1))
      }
    })

    it.each([
      [false, 1],
      [false, 7],
      [true, 1],
      [true, 7],
    ])('is followed by the others: backward %s, %i at a time', async (isBackward, most) => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 60))
      const expected = numbers(1, 60)
      const read = await walk(store, { isBackward, most })
      expect(textsOf(read)).toEqual(isBackward ? expected.toReversed() : expected)
    })

    it('stays in its place while others are published, edited and deleted', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 40))
      for (const isBackward of [false, true]) {
        let round = 0
        const base = isBackward ? 200 : 100
        const read = await walk(store, { isBackward, most: 4 }, async () => {
          if (round++ >= 8) return
          await store.publish([
            ...said(base + 10 * round, base + 10 * round),
            edit('room', { uuid: uuidOf(5 + round), text: String(5 + round) }),
            // Behind the reader or before it, but never one that this test expects.
            message('room', { text: 'short-lived', uuid: uuidOf(900 + round) }),
            retraction('room', { uuid: uuidOf(900 + round) }),
          ])
        })
        const texts = textsOf(read).filter((text) => Number(text) <= 40)
        const expected = numbers(1, 40)
        expect(texts).toEqual(isBackward ? expected.toReversed() : expected)
        expect(new Set(read.map(({ n }) => n)).size).toBe(read.length)
        expect(textsOf(read)).not.toContain('short-lived')
      }
    })
  })

  describe('a record of a channel', () => {
    it('has the newest messages up to a number', async () => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 5))
      const newest = async (history: number) => {
        const [record] = await store.channels([ROOM], { users: false, history })
        return textsOf(record?.history ?? [])
      }
      expect(await newest(2)).toEqual(['4', '5'])
      expect(await newest(100)).toEqual(['1', '2', '3', '4', '5'])
      expect(await newest(0)).toEqual([])
    })

    it.each([true, 400, 900])('has the first part of a longer history: %s', async (history) => {
      const { store } = await openBench()
      await configure(store)
      await store.publish(said(1, 700))
      const [record] = await store.channels([ROOM], { users: false, history })
      const { after, through } = record?.moreHistory ?? { after: 0, through: 0 }
      const texts = textsOf(record?.history ?? [])
      for (let last = after; ;) {
        const rest = await part(store, { after: last, before: through + 1 })
        texts.push(...textsOf(rest.events))
        last = rest.events.at(-1)?.n ?? last
        if (!rest.isMore) break
      }
      expect(texts).toEqual(numbers(history === 400 ? 301 : 1, 700))
    })

    it('has few messages if they are large, and says where they go on', async () => {
      const { store } = await openBench()
      const names = ['room', 'a', 'b', 'c']
      const settings = { store_history: true, history_size: 100 }
      await store.configure(settingsMap(Object.fromEntries(names.map((name) => [name, settings]))))
      for (const name of names)
        await store.publish(
          Array.from({ length: 30 }, (_, index) =>
            message(name, { text: `${name} ${index} ${LARGE}` }),
          ),
        )
      const records = await store.channels(channelNames(...names), { users: false, history: true })
      for (const { name, history, moreHistory } of records) {
        const read = [...history]
        for (let range = moreHistory; range;) {
          const rest = await store.history(name, {
            after: range.after,
            before: range.through + 1,
            isBackward: false,
            most: 100,
          })
          read.push(...(rest?.events ?? []))
          const after = rest?.events.at(-1)?.n
          range = rest?.isMore && after !== undefined ? { ...range, after } : undefined
        }
        expect(textsOf(read).map((text) => String(text).slice(0, 8))).toEqual(
          Array.from({ length: 30 }, (_, index) => `${name} ${index} ${LARGE}`.slice(0, 8)),
        )
      }
    })
  })
}

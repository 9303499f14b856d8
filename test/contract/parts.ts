import { describe, expect, it } from 'vitest'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import {
  channelName,
  connect,
  message,
  settingsMap,
  textsOf,
  userName,
  whisper,
} from './fixtures.ts'
import type { Missed, Store, Topic } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const ROOM = channelTopic(channelName('room'))
const OTHER = channelTopic(channelName('other'))
const ANN = userTopic(userName('ann'))
const LARGE = 'x'.repeat(2000)

/** Reads part after part, as clients do that get a limited number of bytes at a time. */
async function readParts(store: Store, topics: readonly Topic[], after: number, enough: number) {
  const read: Missed[] = []
  for (let through = after; ;) {
    const begin = through
    const part = await store.missed(
      topics.map((topic) => ({ topic, after: begin })),
      enough,
    )
    read.push(part)
    through = part.through
    expect(part.events.every(({ n }) => n > begin && n <= through)).toBe(true)
    if (through === part.head) return read
    expect(part.events).not.toEqual([])
  }
}

const allTexts = (parts: readonly Missed[]): unknown[] =>
  parts.flatMap(({ events }) => textsOf(events))

export function parts(openBench: OpenBench): void {
  describe('what was missed, read in parts', () => {
    async function openRooms() {
      const { store } = await openBench()
      await store.configure(settingsMap({ room: {}, other: {} }))
      await connect(store, 'ann')
      const { head } = await store.missed([])
      return { store, head }
    }

    it('is each event once, in order over all topics, whatever is enough', async () => {
      const { store, head } = await openRooms()
      await store.publish([
        message('room', { text: '1' }),
        message('other', { text: `2 ${LARGE}` }),
        whisper(['ann'], { text: '3' }),
        message('other', { text: '4' }),
        message('room', { text: `5 ${LARGE}` }),
        whisper(['ann'], { text: `6 ${LARGE}` }),
        message('other', { text: '7' }),
        message('room', { text: '8' }),
      ])
      const since = [ROOM, OTHER, ANN].map((topic) => ({ topic, after: head }))
      const expected = textsOf((await store.missed(since)).events)
      expect(expected).toHaveLength(8)
      for (const enough of [1, 500, 3000, 1_000_000]) {
        const read = await readParts(store, [OTHER, ANN, ROOM], head, enough)
        expect(allTexts(read), `${enough} bytes`).toEqual(expected)
      }
    })

    it('is less than everything if a part of it is enough, and everything if nothing is said', async () => {
      const { store, head } = await openRooms()
      await store.publish(
        ['a', 'b', 'c', 'd', 'e'].map((text) => message('room', { text: text + LARGE })),
      )
      const part = await store.missed([{ topic: ROOM, after: head }], 1)
      expect(part.events.length).toBeLessThan(5)
      expect(part.through).toBe(part.events.at(-1)?.n)
      const whole = await store.missed([{ topic: ROOM, after: head }])
      expect(whole).toMatchObject({ through: whole.head, head: head + 5 })
      expect(whole.events).toHaveLength(5)
    })

    it('names the newest lost event of each topic with a gap', async () => {
      const { store, head } = await openRooms()
      await store.publish(
        ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((text) => message('room', { text })),
      )
      const since = [ROOM, OTHER].map((topic) => ({ topic, after: head }))
      for (const enough of [undefined, 1])
        expect((await store.missed(since, enough)).lost).toEqual(new Map([[ROOM, head + 2]]))
    })

    it('is complete at once if nothing was missed', async () => {
      const { store, head } = await openRooms()
      const none = await store.missed([{ topic: ROOM, after: head }], 1)
      expect(none).toMatchObject({ events: [], gaps: [], head, through: head })
      expect(await store.missed([], 1)).toMatchObject({ events: [], head, through: head })
    })
  })
}

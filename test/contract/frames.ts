import { describe, expect, it } from 'vitest'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import { CONTRACT_OPTIONS } from './bench.ts'
import {
  allChannels,
  connectedUsers,
  channelName,
  channelNames,
  connIdOf,
  connect,
  edit,
  message,
  notice,
  privately,
  retraction,
  settingsMap,
  textsOf,
  userName,
  uuidOf,
  whisper,
} from './fixtures.ts'
import type { Missed, Store } from '../../src/store/store.ts'
import type { Bench, OpenBench } from './bench.ts'

const ROOM = channelTopic(channelName('room'))
const OTHER = channelTopic(channelName('other'))
const ANN = userTopic(userName('ann'))
const BOB = userTopic(userName('bob'))

/** Publishes `count` messages in `room`. Returns their numbers. */
async function say(store: Store, ...said: string[]): Promise<number[]> {
  const { head } = await store.missed([])
  await store.publish(said.map((text, index) => message('room', { text, uuid: uuidOf(index) })))
  return said.map((_, index) => head + index + 1)
}

const inRoom = async (store: Store, after: number): Promise<Missed> =>
  store.missed([{ topic: ROOM, after }])

const seen = ({ events, gaps }: Missed) => ({ texts: textsOf(events), gaps })

async function openRoom(openBench: OpenBench): Promise<Bench> {
  const bench = await openBench()
  await bench.store.configure(settingsMap({ room: {} }))
  return bench
}

/** Ends all connections and waits until channels and users are removed. */
async function forgetEverything({ store, clock }: Bench): Promise<void> {
  for (const { connections } of await connectedUsers(store))
    for (const connId of connections ?? []) await store.drop(connId)
  await clock.advance(CONTRACT_OPTIONS.gcUsersMs + CONTRACT_OPTIONS.gcChannelsMs)
  await store.sweep()
}

export function frames(openBench: OpenBench): void {
  describe('what was missed', () => {
    it('is everything after the number that is given, and nothing before', async () => {
      const { store } = await openRoom(openBench)
      const [first = 0, second = 0, third = 0] = await say(store, 'a', 'b', 'c')
      expect(seen(await inRoom(store, first - 1))).toEqual({ texts: ['a', 'b', 'c'], gaps: [] })
      expect(seen(await inRoom(store, first))).toEqual({ texts: ['b', 'c'], gaps: [] })
      expect(seen(await inRoom(store, second))).toEqual({ texts: ['c'], gaps: [] })
      expect(seen(await inRoom(store, third))).toEqual({ texts: [], gaps: [] })
      expect(seen(await inRoom(store, third + 7))).toEqual({ texts: [], gaps: [] })
      expect((await inRoom(store, 0)).head).toBe(third)
    })

    it('comes from all topics in the order of their numbers, each topic from its own start', async () => {
      const { store } = await openRoom(openBench)
      await connect(store, 'ann', { channels: ['room', 'other'] })
      const { head } = await store.missed([])
      await store.publish([
        message('room', { text: 'room 1' }),
        message('other', { text: 'other 2' }),
        whisper(['ann'], { text: 'ann 3' }),
        message('room', { text: 'room 4' }),
        message('other', { text: 'other 5' }),
      ])
      const missed = await store.missed([
        { topic: OTHER, after: head + 2 },
        { topic: ANN, after: head },
        { topic: ROOM, after: head },
      ])
      expect(seen(missed)).toEqual({ texts: ['room 1', 'ann 3', 'room 4', 'other 5'], gaps: [] })
    })

    it('has an event once, on however many of the topics it was', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'bob', { id: 2 })
      await store.publish([whisper(['ann', 'bob'], { text: 'both' })])
      const missed = await store.missed([ANN, BOB].map((topic) => ({ topic, after: 0 })))
      expect(seen(missed)).toEqual({ texts: ['both'], gaps: [] })
    })

    it('holds events of every type, and those that are kept out of the history', async () => {
      const { store } = await openRoom(openBench)
      await store.publish([
        notice('room'),
        message('room', { noHistory: true, pmUsers: ['ann'] }),
        edit('room', { uuid: uuidOf(5) }),
        retraction('room', { uuid: uuidOf(5) }),
      ])
      const { events } = await inRoom(store, 0)
      expect(events.map(({ body }) => body.type)).toEqual([
        'presence',
        'message',
        'message:edit',
        'message:delete',
      ])
      expect(events[1]?.delivery).toEqual({
        pmUsers: ['ann'],
        excludeUsers: [],
        noHistory: true,
      })
    })

    it('reaches back as far as frames are kept, and says where it does not', async () => {
      const { store } = await openRoom(openBench)
      const said = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
      const numbers = await say(store, ...said)
      const [lostBefore = 0, lostThrough = 0] = numbers
      const kept = said.slice(-CONTRACT_OPTIONS.channelFrames)
      expect(seen(await inRoom(store, lostThrough))).toEqual({ texts: kept, gaps: [] })
      expect(seen(await inRoom(store, lostBefore))).toEqual({ texts: kept, gaps: [ROOM] })
    })

    it('has a gap from the first frame that was pushed out, not before', async () => {
      const { store } = await openRoom(openBench)
      const [first = 0] = await say(store, 'a', 'b', 'c', 'd', 'e')
      expect((await inRoom(store, first - 1)).gaps).toEqual([])
      await say(store, 'f')
      expect((await inRoom(store, first - 1)).gaps).toEqual([ROOM])
      expect((await inRoom(store, first)).gaps).toEqual([])
    })

    it('reaches back for a user as far as that user’s frames are kept', async () => {
      const { store } = await openBench()
      await connect(store, 'ann')
      const { head } = await store.missed([])
      await store.publish(['a', 'b', 'c', 'd'].map((text) => whisper(['ann'], { text })))
      const after = (n: number) => store.missed([{ topic: ANN, after: n }])
      expect(seen(await after(head + 1))).toEqual({ texts: ['b', 'c', 'd'], gaps: [] })
      expect(seen(await after(head))).toEqual({ texts: ['b', 'c', 'd'], gaps: [ANN] })
    })

    it('is a gap of the one topic that has it', async () => {
      const { store } = await openRoom(openBench)
      await store.configure(settingsMap({ other: {} }))
      await say(store, 'a', 'b', 'c', 'd', 'e', 'f')
      const missed = await store.missed([ROOM, OTHER].map((topic) => ({ topic, after: 0 })))
      expect(missed.gaps).toEqual([ROOM])
    })

    it('is a gap where frames are switched off, and what was kept before stays', async () => {
      const { store } = await openRoom(openBench)
      const [kept = 0] = await say(store, 'kept')
      await store.configure(settingsMap({ room: { store_frames: false } }))
      const [lost = 0] = await say(store, 'lost')
      expect(seen(await inRoom(store, kept - 1))).toEqual({ texts: ['kept'], gaps: [ROOM] })
      expect(seen(await inRoom(store, kept))).toEqual({ texts: [], gaps: [ROOM] })
      expect(seen(await inRoom(store, lost))).toEqual({ texts: [], gaps: [] })
    })

    it('is a gap for as long as somebody may ask, when frames are switched on again', async () => {
      const { store } = await openRoom(openBench)
      const [kept = 0] = await say(store, 'kept')
      await store.configure(settingsMap({ room: { store_frames: false } }))
      const [lost = 0] = await say(store, 'lost')
      await store.configure(settingsMap({ room: {} }))
      const numbers = await say(store, 'a', 'b', 'c', 'd', 'e')
      expect((await inRoom(store, kept)).gaps).toEqual([ROOM])
      expect(seen(await inRoom(store, lost))).toEqual({
        texts: ['a', 'b', 'c', 'd', 'e'],
        gaps: [],
      })
      expect((await inRoom(store, numbers[0] ?? 0)).gaps).toEqual([])
    })

    it('shows a message as it was edited, then the edit with all its keys', async () => {
      const { store } = await openRoom(openBench)
      await say(store, 'a', 'b')
      const held = await inRoom(store, 0)
      const before = structuredClone(held)
      await store.publish([edit('room', { uuid: uuidOf(0), text: 'A', more: { mood: 'new' } })])
      const { events } = await inRoom(store, 0)
      expect(textsOf(events)).toEqual(['A', 'b', 'A'])
      expect(events[0]?.body).not.toHaveProperty('mood')
      expect(events[0]?.n).toBe(before.events[0]?.n)
      expect(events[2]?.body).toMatchObject({ type: 'message:edit', mood: 'new' })
      expect(held).toEqual(before)
    })

    it('has the delete in the place of a message that was deleted, and no gap for it', async () => {
      const { store } = await openRoom(openBench)
      const [first = 0] = await say(store, 'a', 'b')
      const held = await inRoom(store, 0)
      const before = structuredClone(held)
      await store.publish([retraction('room', { uuid: uuidOf(0) })])
      const missed = await inRoom(store, first - 1)
      expect(missed.gaps).toEqual([])
      expect(missed.events.map(({ body }) => [body.type, body.uuid])).toEqual([
        ['message', uuidOf(1)],
        ['message:delete', uuidOf(0)],
      ])
      expect(held).toEqual(before)
    })

    it('shows edits and deletes of the first message with the uuid, never of another event', async () => {
      const { store } = await openRoom(openBench)
      const uuid = uuidOf(1)
      await store.publish([
        notice('room', { uuid, text: 'notice' }),
        message('room', { uuid, text: 'first' }),
        message('room', { uuid, text: 'second' }),
      ])
      await store.publish([edit('room', { uuid, text: 'EDIT' })])
      expect(textsOf((await inRoom(store, 0)).events)).toEqual(['notice', 'EDIT', 'second', 'EDIT'])
      await store.publish([retraction('room', { uuid })])
      const { events } = await inRoom(store, 0)
      expect(textsOf(events)).toEqual(['notice', 'second', 'EDIT', undefined])
    })

    it('shows edits and deletes also where the frames are switched off meanwhile', async () => {
      const { store } = await openRoom(openBench)
      await say(store, 'a', 'b')
      await store.configure(settingsMap({ room: { store_frames: false } }))
      await store.publish([
        edit('room', { uuid: uuidOf(0), text: 'A' }),
        retraction('room', { uuid: uuidOf(1) }),
      ])
      expect(textsOf((await inRoom(store, 0)).events)).toEqual(['A'])
    })

    it('shows private edits and deletes to those who were told', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1 })
      await connect(store, 'bob', { id: 2 })
      await store.publish([whisper(['ann', 'bob'], { uuid: uuidOf(1), text: 'a' })])
      await store.publish([privately(['ann'], edit('', { uuid: uuidOf(1), text: 'A' }))])
      const of = async (topic: typeof ANN) =>
        (await store.missed([{ topic, after: 0 }])).events.map(({ body }) => [
          body.type,
          (body['message'] as { text: string }).text,
        ])
      expect(await of(ANN)).toEqual([
        ['message', 'A'],
        ['message:edit', 'A'],
      ])
      expect(await of(BOB)).toEqual([['message', 'a']])
      await store.publish([privately(['bob'], retraction('', { uuid: uuidOf(1) }))])
      const { events } = await store.missed([{ topic: BOB, after: 0 }])
      expect(events.map(({ body }) => body.type)).toEqual(['message:delete'])
    })

    it('stays of a channel that everyone has left, until it is forgotten', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      await say(store, 'a')
      await store.leave(connIdOf(1), channelNames('room'))
      expect(seen(await inRoom(store, 0))).toEqual({ texts: ['a'], gaps: [] })
    })

    it.each([
      ['kept', {}],
      ['not kept', { store_frames: false }],
    ])('is a gap of a channel that was forgotten, its frames %s', async (_, settings) => {
      const bench = await openBench()
      const { store } = bench
      await store.configure(settingsMap({ room: settings }))
      const [gone = 0] = await say(store, 'gone')
      await forgetEverything(bench)
      expect(await allChannels(store, { users: false, history: false })).toEqual([])
      await store.configure(settingsMap({ room: {} }))
      expect(seen(await inRoom(store, gone - 1))).toEqual({ texts: [], gaps: [ROOM] })
      expect(seen(await inRoom(store, gone))).toEqual({ texts: [], gaps: [] })
    })

    it('is a gap of a user who was forgotten', async () => {
      const bench = await openBench()
      const { store } = bench
      await connect(store, 'ann')
      const { head } = await store.missed([])
      await store.publish([whisper(['ann'])])
      await forgetEverything(bench)
      await connect(store, 'ann')
      expect((await store.missed([{ topic: ANN, after: head }])).gaps).toEqual([ANN])
      expect((await store.missed([{ topic: ANN, after: head + 1 }])).gaps).toEqual([])
    })

    it('keeps numbers growing, and the epoch, when everything was forgotten', async () => {
      const bench = await openRoom(openBench)
      const { store } = bench
      const { epoch } = store
      const [first = 0] = await say(store, 'a')
      await forgetEverything(bench)
      await store.configure(settingsMap({ room: {} }))
      expect(await say(store, 'b')).toEqual([first + 1])
      expect((await store.missed([])).head).toBe(first + 1)
      expect(store.epoch).toBe(epoch)
    })
  })

  describe('the epoch', () => {
    it('is made of 1 to 32 letters and digits', async () => {
      const { store } = await openBench()
      expect(store.epoch).toMatch(/^[0-9A-Za-z]{1,32}$/)
    })
  })
}

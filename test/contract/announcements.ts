import { describe, expect, it } from 'vitest'
import { parseCursor } from '../../src/protocol/ids.ts'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import {
  allChannels,
  channelName,
  channelNames,
  connIdOf,
  connect,
  edit,
  message,
  notice,
  retraction,
  settingsMap,
  settingsOf,
  textOf,
  textsOf,
  userName,
  uuidOf,
  whisper,
} from './fixtures.ts'
import type { OpenBench } from './bench.ts'

const ROOM = channelTopic(channelName('room'))
const OTHER = channelTopic(channelName('other'))
const ANN = userTopic(userName('ann'))
const BOB = userTopic(userName('bob'))

export function announcements(openBench: OpenBench): void {
  describe('announcements', () => {
    it('come back to the one who published, with body, delivery and topic', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: {} }))
      await store.listen(ROOM)
      const published = message('room', {
        text: 'hello',
        pmUsers: ['ann'],
        excludeUsers: ['bob'],
        noHistory: true,
        more: { extra: [1, { deep: true }] },
      })
      await store.publish([published])
      await heard.upTo('hello')
      expect(heard.announced).toMatchObject([{ event: published, topics: [ROOM] }])
    })

    it('carry what a Philote client wrote, beside what clients see', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: {} }))
      await store.listen(ROOM)
      const published = message('room', { text: 'hello' })
      const philote = { issuer: 'x', data: '{ }' }
      await store.publish([{ ...published, delivery: { ...published.delivery, philote } }])
      await heard.upTo('hello')
      expect(heard.announced[0]?.event).toMatchObject({
        body: published.body,
        delivery: { philote },
      })
    })

    it('are numbered one by one, whatever they are of, and carry the number in their id', async () => {
      const { store, heard } = await openBench()
      await connect(store, 'ann', { channels: ['room', 'other'] })
      await Promise.all([ROOM, OTHER, ANN].map(async (topic) => store.listen(topic)))
      const { head } = await store.missed([])
      await store.publish([message('room'), notice('other'), whisper(['ann'])])
      await store.publish([edit('room'), retraction('other'), message('room', { text: 'last' })])
      await heard.upTo('last')
      const numbers = heard.announced.map(({ event }) => event.n)
      expect(numbers).toEqual([1, 2, 3, 4, 5, 6].map((step) => head + step))
      for (const { event } of heard.announced)
        expect(parseCursor(event.id)).toEqual({ epoch: store.epoch, n: event.n })
      expect((await store.missed([])).head).toBe(head + 6)
    })

    it('are in the same order as history and frames, whoever publishes at the same time', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: { store_history: true } }))
      await store.listen(ROOM)
      await Promise.all(
        [1, 2].map(async (n) =>
          store.publish([message('room', { text: `${n}a` }), message('room', { text: `${n}b` })]),
        ),
      )
      await store.publish([message('room', { text: 'last' })])
      await heard.upTo('last')
      const [room] = await store.channels(channelNames('room'), { users: false, history: true })
      const { events } = await store.missed([{ topic: ROOM, after: 0 }])
      expect(textsOf(room?.history ?? [])).toEqual(heard.texts)
      expect(textsOf(events)).toEqual(heard.texts)
      expect(heard.texts.indexOf('1b') - heard.texts.indexOf('1a')).toBe(1)
      expect(heard.texts.indexOf('2b') - heard.texts.indexOf('2a')).toBe(1)
    })

    it('are made only on topics that are listened to', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: {}, other: {} }))
      await store.publish([message('room', { text: 'too early' })])
      await store.listen(ROOM)
      await store.publish([
        message('other', { text: 'elsewhere' }),
        message('room', { text: 'heard' }),
      ])
      await store.unlisten(ROOM)
      await store.publish([message('room', { text: 'too late' })])
      await store.listen(OTHER)
      await store.publish([message('other', { text: 'last' })])
      const before = await heard.upTo('last')
      expect(before.map(({ event }) => textOf(event))).toEqual(['heard'])
    })

    it('have numbers above the one that ensuring their channels answered', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ other: {} }))
      await store.publish([message('other'), message('other')])
      const newest = await store.ensure(channelNames('room'))
      expect(newest).toBe((await store.missed([])).head)
      await store.listen(ROOM)
      await store.publish([message('room', { text: 'last' })])
      await heard.upTo('last')
      expect(heard.announced.map(({ event }) => event.n)).toEqual([newest + 1])
    })

    it('come from channels that were ensured, whose settings stay as they are', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ other: { store_history: true } }))
      await store.ensure(channelNames('room', 'other', 'room'))
      await store.listen(ROOM)
      await store.publish([message('other', { text: 'kept' }), message('room', { text: 'last' })])
      await heard.upTo('last')
      const [room, other] = await store.channels(channelNames('room', 'other'), {
        users: false,
        history: true,
      })
      expect(room).toMatchObject({ settings: settingsOf({}), history: [], connections: 0 })
      expect(textsOf(other?.history ?? [])).toEqual(['kept'])
    })

    it('begin again after listening has ended', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: {} }))
      await store.listen(ROOM)
      await store.unlisten(ROOM)
      await store.listen(ROOM)
      await store.publish([message('room', { text: 'again' })])
      expect(await heard.upTo('again')).toEqual([])
    })

    it('of a private message to several users come once, with all their topics', async () => {
      const { store, heard } = await openBench()
      for (const [id, user] of ['ann', 'bob', 'cem'].entries()) await connect(store, user, { id })
      await store.listen(ANN)
      await store.listen(BOB)
      await store.publish([
        whisper(['ann', 'cem', 'bob', 'ann'], { text: 'to both' }),
        whisper(['cem'], { text: 'to nobody here' }),
        whisper(['bob'], { text: 'to one' }),
      ])
      await heard.upTo('to one')
      expect(heard.announced.map(({ topics }) => [...topics].sort())).toEqual([[ANN, BOB], [BOB]])
      expect(heard.texts).toEqual(['to both', 'to one'])
    })

    it('do not come from an unknown channel, which is not made, nor from unknown users', async () => {
      const { store, heard } = await openBench()
      await connect(store, 'ann', { channels: ['room'] })
      await Promise.all(
        [channelTopic(channelName('unknown')), userTopic(userName('unknown')), ROOM, ANN].map(
          async (topic) => store.listen(topic),
        ),
      )
      const { head } = await store.missed([])
      await store.publish([
        message('unknown', { text: 'lost' }),
        whisper(['unknown'], { text: 'lost' }),
        whisper([], { text: 'lost' }),
        whisper(['unknown', 'ann'], { text: 'found' }),
        message('room', { text: 'last' }),
      ])
      const before = await heard.upTo('last')
      expect(before).toMatchObject([{ event: { n: head + 1 }, topics: [ANN] }])
      expect(await store.hasUser(userName('unknown'))).toBe(false)
      expect(await allChannels(store, { users: false, history: false })).toHaveLength(1)
      expect((await store.missed([])).head).toBe(head + 2)
    })

    it('of edits and deletes come whether their message is known or not', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: {} }))
      await store.listen(ROOM)
      await store.publish([
        edit('room', { uuid: uuidOf(1) }),
        retraction('room', { uuid: uuidOf(1) }),
        message('room', { text: 'last' }),
      ])
      const before = await heard.upTo('last')
      expect(before.map(({ event }) => event.body.type)).toEqual(['message:edit', 'message:delete'])
    })

    it('reach users without connections, for as long as they are remembered', async () => {
      const { store, heard } = await openBench()
      await connect(store, 'ann')
      await store.drop(connIdOf(1))
      await store.listen(ANN)
      await store.publish([whisper(['ann'], { text: 'later' })])
      await heard.upTo('later')
      const { events } = await store.missed([{ topic: ANN, after: 0 }])
      expect(textsOf(events)).toEqual(['later'])
    })
  })
}

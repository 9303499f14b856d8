import { describe, expect, it } from 'vitest'
import { readJson, writeJson } from '../../src/protocol/exact-numbers.ts'
import { channelTopic } from '../../src/store/store.ts'
import {
  channelName,
  channelNames,
  connect,
  deliveryOf,
  edit,
  inSeveral,
  message,
  retraction,
  settingsMap,
  settingsOf,
  textsOf,
  uuidOf,
} from './fixtures.ts'
import type { Store, StoredEvent } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

const NAMES = ['a', 'b', 'c'] as const
const TOPICS = NAMES.map((name) => channelTopic(channelName(name)))

/** Channels a and b keep a history, c does not. All are listened to. */
async function openThree(openBench: OpenBench) {
  const { store, heard } = await openBench()
  const kept = { store_history: true }
  await store.configure(settingsMap({ a: kept, b: kept, c: {} }))
  for (const topic of TOPICS) await store.listen(topic)
  return { store, heard }
}

async function historyOf(store: Store, channel: string): Promise<readonly StoredEvent[]> {
  const [record] = await store.channels(channelNames(channel), { users: false, history: true })
  return record?.history ?? []
}

const historyTexts = async (store: Store, channel: string) =>
  textsOf(await historyOf(store, channel))

const framesOf = async (store: Store, channel: string) =>
  (await store.missed([{ topic: channelTopic(channelName(channel)), after: 0 }])).events

export function severalChannels(openBench: OpenBench): void {
  describe('an event in several channels', () => {
    it('is one event in each, with a number and the channel of its own', async () => {
      const { store, heard } = await openThree(openBench)
      const published = message('a', { text: 'all', more: { extra: [1, { deep: true }] } })
      const { head } = await store.missed([])
      await store.publish([inSeveral(['b', 'a', 'c'], published), message('a', { text: 'last' })])
      const announced = await heard.upTo('last')
      expect(announced.map(({ event, topics }) => [event.n, topics])).toEqual(
        ['b', 'a', 'c'].map((name, index) => [head + 1 + index, [channelTopic(channelName(name))]]),
      )
      for (const { event } of announced) {
        const channel = event.n === head + 1 ? 'b' : event.n === head + 2 ? 'a' : 'c'
        expect(JSON.parse(JSON.stringify(event.body))).toEqual({ ...published.body, channel })
        expect(event.delivery).toEqual(deliveryOf())
      }
    })

    it('is in the history and the frames of each', async () => {
      const { store } = await openThree(openBench)
      await store.publish([
        message('a', { text: 'before' }),
        inSeveral(NAMES, message('a', { text: 'all' })),
        message('b', { text: 'after' }),
      ])
      expect(await historyTexts(store, 'a')).toEqual(['before', 'all'])
      expect(await historyTexts(store, 'b')).toEqual(['all', 'after'])
      expect(await historyTexts(store, 'c')).toEqual([])
      for (const name of NAMES) {
        const events = await framesOf(store, name)
        expect(textsOf(events)).toContain('all')
        expect(events.every(({ body }) => body.channel === name)).toBe(true)
      }
    })

    it('counts as one message, delivered to the members of each', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { id: 1, channels: ['a', 'b'] })
      await connect(store, 'bob', { id: 2, channels: ['b'] })
      await store.publish([inSeveral(['a', 'b'], message('a', { excludeUsers: ['bob'] }))])
      expect(await store.figures()).toMatchObject({ messages: 1, deliveries: 2 })
    })

    it('leaves out unknown channels, and does not create them', async () => {
      const { store, heard } = await openThree(openBench)
      await store.publish([
        inSeveral(['nowhere', 'a', 'elsewhere'], message('a', { text: 'all' })),
        message('a', { text: 'last' }),
      ])
      expect(textsOf((await heard.upTo('last')).map(({ event }) => event))).toEqual(['all'])
      expect(await store.channelNames()).toEqual(NAMES)
    })

    it('keeps names, texts and numbers as they are', async () => {
      const { store, heard } = await openBench()
      const names = ['"', '\\', '/', '\u007f', 'ä\u2028\u{1F600}', '__proto__', 'line\nfeed', '%d']
      await store.configure(new Map(names.map((name) => [channelName(name), settingsOf()])))
      for (const name of names) await store.listen(channelTopic(channelName(name)))
      const payload = '{"n":1234567890123456789,"text":"1\\n2 \\" {","large":1e400}'
      const { body, delivery } = message('a')
      const published = { body: { ...body, message: readJson(payload) }, delivery }
      await store.publish([inSeveral(names, published), message('%d', { text: 'last' })])
      const announced = await heard.upTo('last')
      expect(announced.map(({ event }) => event.body.channel)).toEqual(names)
      for (const { event } of announced) expect(writeJson(event.body['message'])).toBe(payload)
      const [kept] = await framesOf(store, '"')
      expect(writeJson(kept?.body['message'])).toBe(payload)
    })

    it('is for the users that it names, in each channel', async () => {
      const { store, heard } = await openThree(openBench)
      const wishes = { pmUsers: ['ann'], excludeUsers: ['bob'], noHistory: true }
      await store.publish([
        inSeveral(['a', 'b'], message('a', { text: 'some', ...wishes })),
        message('a', { text: 'last' }),
      ])
      const announced = await heard.upTo('last')
      expect(announced.map(({ event }) => event.delivery)).toEqual([
        deliveryOf(wishes),
        deliveryOf(wishes),
      ])
      expect(await historyTexts(store, 'b')).toEqual([])
    })

    it('can be edited in each, in some, and in one', async () => {
      const { store, heard } = await openThree(openBench)
      const uuid = uuidOf(7)
      await store.publish([inSeveral(NAMES, message('a', { uuid, text: 'old' }))])
      await store.publish([inSeveral(['a', 'c'], edit('a', { uuid, text: 'new' }))])
      expect(await historyTexts(store, 'a')).toEqual(['new'])
      expect(await historyTexts(store, 'b')).toEqual(['old'])
      expect(textsOf(await framesOf(store, 'c'))).toEqual(['new', 'new'])
      await store.publish([edit('b', { uuid, text: 'own' }), message('a', { text: 'last' })])
      expect(await historyTexts(store, 'b')).toEqual(['own'])
      expect(await historyTexts(store, 'a')).toEqual(['new', 'last'])
      const edits = (await heard.upTo('last')).filter(
        ({ event }) => event.body.type === 'message:edit',
      )
      expect(edits.map(({ event }) => event.body.channel)).toEqual(['a', 'c', 'b'])
    })

    it('can be deleted in each, and in some', async () => {
      const { store } = await openThree(openBench)
      const uuid = uuidOf(7)
      await store.publish([inSeveral(NAMES, message('a', { uuid, text: 'old' }))])
      await store.publish([inSeveral(['b', 'nowhere'], retraction('a', { uuid }))])
      expect(await historyTexts(store, 'a')).toEqual(['old'])
      expect(await historyTexts(store, 'b')).toEqual([])
      await store.publish([inSeveral(NAMES, retraction('a', { uuid }))])
      for (const name of NAMES) {
        expect(await historyOf(store, name)).toEqual([])
        expect(textsOf(await framesOf(store, name))).not.toContain('old')
      }
    })

    it('is edited for the audience that the message has in each', async () => {
      const { store, heard } = await openThree(openBench)
      const uuid = uuidOf(7)
      await store.publish([
        message('a', { uuid, pmUsers: ['ann'] }),
        message('b', { uuid, excludeUsers: ['bob'] }),
      ])
      await store.publish([
        inSeveral(NAMES, edit('a', { uuid, text: 'new', excludeUsers: ['cem'] })),
        message('a', { text: 'last' }),
      ])
      const edits = (await heard.upTo('last')).filter(
        ({ event }) => event.body.type === 'message:edit',
      )
      expect(edits.map(({ event }) => event.delivery)).toEqual([
        deliveryOf({ pmUsers: ['ann'], excludeUsers: ['cem'] }),
        deliveryOf({ excludeUsers: ['bob', 'cem'] }),
        deliveryOf({ excludeUsers: ['cem'] }),
      ])
    })
  })
}

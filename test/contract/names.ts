import { describe, expect, it } from 'vitest'
import { channelTopic, userTopic } from '../../src/store/store.ts'
import {
  allChannels,
  channelName,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsOf,
  textsOf,
  userName,
  uuidOf,
  whisper,
} from './fixtures.ts'
import type { OpenBench } from './bench.ts'

const ALL = { users: true, history: true }
const HISTORY = { store_history: true }

/** Names with a special meaning to JavaScript, to composed keys, or to line-based protocols. */
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'c:x',
  'u:x',
  'a:b:c',
  ':',
  'two\r\nlines',
  '\u0000',
  ' ',
  '*',
  '{tag}',
  '0',
  '\u{1F600}',
]

export function names(openBench: OpenBench): void {
  describe('names are compared exactly and mean nothing', () => {
    it.each(ODD_NAMES)('%j is a user and a channel like any other', async (name) => {
      const { store, heard } = await openBench()
      await store.configure(new Map([[channelName(name), settingsOf(HISTORY)]]))
      await connect(store, name, { channels: [name], state: { key: name } })
      const [topic, own] = [channelTopic(channelName(name)), userTopic(userName(name))]
      await store.listen(topic)
      await store.listen(own)
      await store.publish([
        message(name, { text: 'to the channel', uuid: uuidOf(1) }),
        whisper([name], { text: 'to the user', uuid: uuidOf(2) }),
      ])
      await heard.upTo('to the user')
      expect(heard.announced.map(({ topics }) => topics)).toEqual([[topic], [own]])

      const [channel, ...others] = await allChannels(store, ALL)
      expect(others).toEqual([])
      expect(channel).toMatchObject({ name, users: [name], settings: HISTORY, connections: 1 })
      expect(textsOf(channel?.history ?? [])).toEqual(['to the channel'])
      expect(await store.channels(channelNames(name), ALL)).toEqual([channel])
      expect(await store.users([userName(name)])).toMatchObject([{ name, state: { key: name } }])
      expect(await store.hasUser(userName(name))).toBe(true)
      const inChannel = await store.missed([{ topic, after: 0 }])
      const inPrivate = await store.missed([{ topic: own, after: 0 }])
      expect(textsOf(inChannel.events)).toEqual(['to the channel'])
      expect(textsOf(inPrivate.events)).toEqual(['to the user'])
      expect(await store.drop(connIdOf(1))).toBe(true)
    })

    it.each(ODD_NAMES)('nothing is known of %j before it was named', async (name) => {
      const { store } = await openBench()
      expect(await store.hasUser(userName(name))).toBe(false)
      expect(await store.users([userName(name)])).toEqual([])
      expect(await store.channels(channelNames(name), ALL)).toEqual([])
      expect(await store.setUserState(userName(name), { a: 1 }, undefined)).toBeUndefined()
      await store.publish([message(name), whisper([name])])
      expect(await store.figures()).toMatchObject({ users: 0, channels: 0, deliveries: 0 })
    })

    it('keeps a user and a channel of one name apart', async () => {
      const { store, heard } = await openBench()
      await connect(store, 'same', { id: 1 })
      await connect(store, 'other', { id: 2, channels: ['same'] })
      await store.listen(channelTopic(channelName('same')))
      await store.publish([
        whisper(['same'], { text: 'private' }),
        message('same', { text: 'public' }),
      ])
      expect(await heard.upTo('public')).toEqual([])
      const missed = await store.missed([{ topic: userTopic(userName('same')), after: 0 }])
      expect(textsOf(missed.events)).toEqual(['private'])
    })

    it('keeps names apart that differ in case, spaces or normal form only', async () => {
      const { store } = await openBench()
      const alike = ['room', 'Room', 'room ', 'r\u00f6om', 'ro\u0308om']
      await connect(store, 'ann', { channels: alike })
      expect(await allChannels(store, ALL)).toHaveLength(alike.length)
    })

    it('keeps keys of a state apart from what objects have', async () => {
      const { store } = await openBench()
      const state = JSON.parse('{"__proto__": 1, "constructor": 2}') as Record<string, number>
      const { user } = await connect(store, 'ann', { state, publicKeys: ['__proto__'] })
      expect(Object.entries(user.state)).toEqual(Object.entries(state))
      expect(Object.entries(user.publicState)).toEqual([['__proto__', 1]])
      const change = await store.setUserState(userName('ann'), { toString: null }, undefined)
      expect(change).toMatchObject({ changed: [] })
    })
  })
}

import { describe, expect, it } from 'vitest'
import { readJson, writeJson } from '../../src/protocol/exact-numbers.ts'
import { channelTopic } from '../../src/store/store.ts'
import {
  allChannels,
  channelName,
  connect,
  edit,
  message,
  settingsMap,
  userName,
  uuidOf,
} from './fixtures.ts'
import type { State, Store } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'

/** Numbers that do not fit a double. */
const NUMBERS = [
  '1234567890123456789',
  '1e400',
  '-1e-400',
  '-0',
  '0.1000000000000000055511151231257827',
]

const TOPIC = channelTopic(channelName('room'))
const LIST = `[${NUMBERS.join()}]`
const read = <Value>(json: string): Value => readJson(json) as Value

const stateOf = (number: string, key = 'n'): State => read(`{"${key}":${number}}`)

async function userOf(store: Store, name = 'ann') {
  const [user] = await store.users([userName(name)])
  return user
}

export function numbers(openBench: OpenBench): void {
  describe('numbers that do not fit a double', () => {
    const payload = read<object>(`{"text":"last","deep":{"list":${LIST}}}`)
    const more = { message: payload, color: read<unknown>(NUMBERS[0] ?? '') }

    it('are announced, and kept in history and frames, as they were posted', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: { store_history: true } }))
      await store.listen(TOPIC)
      await store.publish([message('room', { more }), message('room', { text: 'end' })])
      const [announced] = await heard.upTo('end')
      const [room] = await allChannels(store, { users: false, history: true })
      const { events } = await store.missed([{ topic: TOPIC, after: 0 }])
      for (const event of [announced?.event, room?.history[0], events[0]]) {
        expect(writeJson(event?.body['message'])).toBe(writeJson(payload))
        expect(writeJson(event?.body['color'])).toBe(NUMBERS[0])
      }
    })

    it('are in an edited message as in its edit', async () => {
      const { store, heard } = await openBench()
      await store.configure(settingsMap({ room: { store_history: true } }))
      await store.listen(TOPIC)
      const uuid = uuidOf(5)
      await store.publish([message('room', { uuid, text: 'first' }), edit('room', { uuid, more })])
      const announced = await heard.upTo('last')
      expect(announced).toHaveLength(1)
      const [room] = await allChannels(store, { users: false, history: true })
      const { events } = await store.missed([{ topic: TOPIC, after: 0 }])
      const edited = [heard.announced[1]?.event, room?.history[0], ...events]
      expect(edited).toHaveLength(4)
      for (const event of edited) expect(writeJson(event?.body['message'])).toBe(writeJson(payload))
    })

    it.each(NUMBERS)('are in a state as they were given: %s', async (number) => {
      const { store } = await openBench()
      const publicKeys = ['n']
      const { user } = await connect(store, 'ann', {
        freshState: stateOf(number, 'fresh'),
        state: stateOf(number),
        publicKeys,
      })
      const change = await store.setUserState(userName('ann'), stateOf(number, 'set'), undefined)
      if (typeof change !== 'object') throw new Error(String(change))
      expect(writeJson(user.publicState)).toBe(`{"n":${number}}`)
      expect(writeJson(change.changed)).toBe(`[{"key":"set","value":${number}}]`)
      for (const record of [change.user, await userOf(store)]) {
        const { fresh, n, set } = record?.state ?? {}
        expect(writeJson([fresh, n, set])).toBe(`[${number},${number},${number}]`)
      }
    })

    it('change a state when they change, and not when they are given again', async () => {
      const { store } = await openBench()
      await connect(store, 'ann', { state: stateOf('1234567890123456789') })
      const set = async (number: string) => {
        const change = await store.setUserState(userName('ann'), stateOf(number), undefined)
        return typeof change === 'object'
          ? writeJson(change.changed.map(({ value }) => value))
          : change
      }
      expect(await set('1234567890123456789')).toBe('[]')
      // The same double.
      expect(await set('1234567890123456788')).toBe('[1234567890123456788]')
      expect(await set('1234567890123456800')).toBe('[1234567890123456800]')
      expect(await set('1234567890123456800')).toBe('[]')
      expect(await set('1e400')).toBe('[1e400]')
      expect(await set('null')).toBe('[null]')
    })

    it('are told in presence and changes of state as they were given', async () => {
      const { store, heard } = await openBench()
      const told = {
        notify_presence: true,
        notify_state: true,
        broadcast_presence_with_user_lists: true,
      }
      const configs = { room: told }
      await connect(store, 'bob', { id: 2, channels: ['room'], configs })
      await store.listen(TOPIC)
      await connect(store, 'ann', {
        channels: ['room'],
        state: stateOf('1234567890123456789'),
        publicKeys: ['n'],
      })
      await store.setUserState(userName('ann'), stateOf('1e400'), undefined)
      await store.publish([message('room', { text: 'end' })])
      const [joined, changed] = (await heard.upTo('end')).map(({ event }) => event.body)
      expect(writeJson(joined?.['state'])).toBe('{"n":1234567890123456789}')
      expect(writeJson(joined?.['users'])).toContain(
        '{"user":"ann","state":{"n":1234567890123456789}}',
      )
      expect(writeJson(changed?.['message'])).toBe(
        '{"state":{"n":1e400},"changed":[{"key":"n","value":1e400}]}',
      )
    })

    it('count with their digits for the size of a state', async () => {
      const { store } = await openBench()
      const fits = `1${'0'.repeat(150)}1`
      const { user } = await connect(store, 'ann', { state: stateOf(fits) })
      expect(writeJson(user.state)).toBe(`{"n":${fits}}`)
      const change = await store.setUserState(userName('ann'), stateOf(fits, 'more'), undefined)
      expect(change).toBe('state-too-large')
    })
  })
}

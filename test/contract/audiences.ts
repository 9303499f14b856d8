import { describe, expect, it } from 'vitest'
import { channelTopic } from '../../src/store/store.ts'
import {
  channelName,
  connect,
  deliveryOf,
  edit,
  message,
  notice,
  retraction,
  settingsMap,
  uuidOf,
} from './fixtures.ts'
import type { Publication } from '../../src/store/store.ts'
import type { OpenBench } from './bench.ts'
import type { EventWishes } from './fixtures.ts'

const ROOM = channelTopic(channelName('room'))
const UUID = uuidOf(7)
const KEPT = { store_history: true }

/** Publishes events one after the other. Returns the audience of the last one, as announced and as stored. */
async function audienceOfLast(
  openBench: OpenBench,
  publications: readonly Publication[],
  settings: Parameters<typeof settingsMap>[0][string] = KEPT,
) {
  const { store, heard } = await openBench()
  await store.configure(settingsMap({ room: settings, other: KEPT }))
  await store.listen(ROOM)
  for (const publication of publications) await store.publish([publication])
  const last = await heard.upTo('last').then(() => heard.announced.at(-1)?.event)
  if (settings.store_frames !== false) {
    const { events } = await store.missed([{ topic: ROOM, after: 0 }])
    expect(events.at(-1)).toEqual(last)
  }
  return last?.delivery
}

const say = (wishes: EventWishes = {}) => message('room', { uuid: UUID, ...wishes })
const change = (wishes: EventWishes = {}) => edit('room', { uuid: UUID, text: 'last', ...wishes })
const take = (wishes: EventWishes = {}) =>
  retraction('room', { uuid: UUID, text: 'last', ...wishes })
/** As many messages as the frames hold. */
const noise = Array.from({ length: 5 }, (_, index) =>
  message('room', { uuid: uuidOf(100 + index) }),
)

const forAnn = { pmUsers: ['ann'] }
const notForBob = { excludeUsers: ['bob'] }
const forTwoOfThree = { pmUsers: ['ann', 'bob', 'cem'], excludeUsers: ['bob'] }

export function audiences(openBench: OpenBench): void {
  describe('an edit or a delete', () => {
    it.each([
      ['everybody', {}],
      ['some', forAnn],
      ['all but some', notForBob],
      ['some of some', forTwoOfThree],
    ])('that names nobody is for those whom the message was for: %s', async (_, wishes) => {
      const expected = deliveryOf(wishes)
      expect(await audienceOfLast(openBench, [say(wishes), change()])).toEqual(expected)
      expect(await audienceOfLast(openBench, [say(wishes), take()])).toEqual(expected)
    })

    it.each([
      ['some', forAnn, { ...forAnn, ...notForBob }],
      ['all but some', { excludeUsers: ['ann'] }, { excludeUsers: ['ann', 'bob'] }],
      ['all but the same', notForBob, notForBob],
    ])('that leaves users out leaves them out of those: %s', async (_, wishes, expected) => {
      const told = await audienceOfLast(openBench, [say(wishes), change(notForBob)])
      expect(told).toEqual(deliveryOf(expected))
    })

    it('that names users is for those, whomever the message was for', async () => {
      for (const wishes of [{}, forAnn, { excludeUsers: ['cem'] }]) {
        const named = { pmUsers: ['cem', 'dan'], excludeUsers: ['dan'] }
        const told = await audienceOfLast(openBench, [say(wishes), change(named)])
        expect(told).toEqual(deliveryOf(named))
      }
    })

    it('of a message that nobody knows is for those whom it names', async () => {
      for (const wishes of [{}, forAnn, notForBob])
        expect(await audienceOfLast(openBench, [change(wishes)])).toEqual(deliveryOf(wishes))
    })

    it('does not take another event, or a message in another channel, for its own', async () => {
      const others = [
        notice('room', { uuid: UUID, ...forAnn }),
        message('other', { uuid: UUID, ...forAnn }),
        message('room', { uuid: uuidOf(8), ...forAnn }),
      ]
      expect(await audienceOfLast(openBench, [...others, change()])).toEqual(deliveryOf())
    })

    it.each([
      ['in the history', KEPT, {}, noise.slice(0, 5)],
      ['in the history, without frames', { ...KEPT, store_frames: false }, {}, []],
      ['in the frames', {}, {}, noise.slice(0, 4)],
      ['in the frames, kept out of the history', KEPT, { noHistory: true }, noise.slice(0, 4)],
    ])('knows a message that is only %s', async (_, settings, wishes, meanwhile) => {
      const said = [say({ ...forAnn, ...wishes }), ...meanwhile, change()]
      expect(await audienceOfLast(openBench, said, settings)).toEqual(deliveryOf(forAnn))
    })

    it('knows of a message that is gone what an edit of it, or its delete, was told', async () => {
      const edited = [say(forAnn), change({ text: 'x' }), ...noise.slice(0, 4), change()]
      expect(await audienceOfLast(openBench, edited, {})).toEqual(deliveryOf(forAnn))
      const deleted = [say(forAnn), take({ text: 'x' }), change()]
      expect(await audienceOfLast(openBench, deleted)).toEqual(deliveryOf(forAnn))
      const twice = [say(), change({ text: 'x', ...forAnn }), change({ text: 'y', ...notForBob })]
      const told = await audienceOfLast(openBench, [...twice, ...noise.slice(0, 4), change()], {})
      expect(told).toEqual(deliveryOf(notForBob))
    })

    it('knows nothing of a message of which nothing is kept', async () => {
      const gone = [say(forAnn), ...noise, change()]
      expect(await audienceOfLast(openBench, gone, {})).toEqual(deliveryOf())
    })

    it('is of the first of several messages with its uuid', async () => {
      const both = [say(forAnn), say(notForBob), change()]
      expect(await audienceOfLast(openBench, both)).toEqual(deliveryOf(forAnn))
      const hidden = [say({ ...forAnn, noHistory: true }), say(), change()]
      expect(await audienceOfLast(openBench, hidden)).toEqual(deliveryOf(forAnn))
      const shown = [say(), ...noise, say(forAnn), change()]
      expect(await audienceOfLast(openBench, shown)).toEqual(deliveryOf())
    })

    it('leaves it to the message whom the message is for', async () => {
      const { store } = await openBench()
      await store.configure(settingsMap({ room: KEPT }))
      await store.publish([say(forAnn), change({ pmUsers: ['bob'] }), change()])
      const { events } = await store.missed([{ topic: ROOM, after: 0 }])
      expect(events.map(({ delivery }) => delivery.pmUsers)).toEqual([['ann'], ['bob'], ['ann']])
    })

    it('knows what was published in the same call, and names of every kind', async () => {
      const { store, heard } = await openBench()
      const names = ['"quoted", "noHistory":', 'brü\\cke', '\u0000', '[]', '{"pmUsers":["x"]}']
      await connect(store, 'ann', { channels: ['room'] })
      await store.listen(ROOM)
      await store.publish([
        say({ pmUsers: names, excludeUsers: names.slice(1) }),
        change({ text: 'first', excludeUsers: ['ann'] }),
        take({ text: 'second' }),
        change({ text: 'last' }),
      ])
      await heard.upTo('last')
      expect(heard.announced.map(({ event }) => event.delivery)).toEqual([
        deliveryOf({ pmUsers: names, excludeUsers: names.slice(1) }),
        deliveryOf({ pmUsers: names, excludeUsers: [...names.slice(1), 'ann'] }),
        deliveryOf({ pmUsers: names, excludeUsers: names.slice(1) }),
        deliveryOf({ pmUsers: names, excludeUsers: names.slice(1) }),
      ])
    })
  })
}

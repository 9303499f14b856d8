/** Events are kept as text after a start, until somebody reads them. */
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { Directory } from '../../../src/store/disk/directory.ts'
import { EventInText } from '../../../src/store/disk/event-in-text.ts'
import { load } from '../../../src/store/disk/load.ts'
import { channelTopic } from '../../../src/store/store.ts'
import {
  channelName,
  edit,
  message,
  settingsMap,
  textsOf,
  uuidOf,
} from '../../contract/fixtures.ts'
import { freshDirectory, openDiskStore } from '../../helpers/disk-store.ts'
import type { DiskStore } from '../../../src/store/disk/store.ts'

const NAMES = [
  'room',
  'a "quoted" one',
  'back\\slash\\',
  'zażółć',
  'line\nfeed',
  '","e',
  '🙂',
  ',1,2,',
]
const EVERYTHING = { isBackward: false, most: 1000 }

let directory: string
beforeEach(() => void (directory = freshDirectory()))

async function open() {
  const store = await openDiskStore({ directory, longHistory: 4, channelFrames: 20 })
  let isOpen = true
  const stop = async (): Promise<void> => {
    if (isOpen) await store.stop()
    isOpen = false
  }
  onTestFinished(stop)
  return { store, stop }
}

const historyOf = async (store: DiskStore, name: string) =>
  (await store.history(channelName(name), EVERYTHING))?.events.map(({ n, id, body, delivery }) => ({
    ...{ n, id, body, delivery },
  }))

const missedIn = async (store: DiskStore, name: string) =>
  textsOf((await store.missed([{ topic: channelTopic(channelName(name)), after: 0 }])).events)

/** Events of the directory that were not parsed. */
function unread(name: string): (string | undefined)[] {
  const list = load(new Directory(directory)).image.channels.get(channelName(name))?.history
  return (
    list?.from(0).events.map((event) => (event instanceof EventInText ? event.text : undefined)) ??
    []
  )
}

it('are the same as before, whatever their channel and content', async () => {
  const { store: first, stop } = await open()
  await first.configure(
    settingsMap(Object.fromEntries(NAMES.map((name) => [name, { store_history: true }]))),
  )
  const payload = {
    uuid: 'not this one',
    text: '\u2028 ",\n["e","room",1,2,3, 🙂 \\',
    deep: [{ uuid: null }],
  }
  for (const name of NAMES)
    await first.publish([
      message(name, { uuid: uuidOf(1), text: `in ${name}`, pmUsers: ['ann'], more: payload }),
      message(name, { uuid: 'a "uuid" \\', text: 'second' }),
    ])
  const before = await Promise.all(NAMES.map((name) => historyOf(first, name)))
  expect(before.every((events) => events?.length === 2)).toBe(true)
  await stop()

  // From the log, from a state of events that nobody has read, and from a state of those that were read.
  for (const isRead of [false, false, true]) {
    const { store, stop } = await open()
    expect(unread('room')).not.toContain(undefined)
    if (isRead)
      expect(await Promise.all(NAMES.map((name) => historyOf(store, name)))).toEqual(before)
    await store.compact()
    await stop()
  }
  const { store: last } = await open()
  expect(await Promise.all(NAMES.map((name) => historyOf(last, name)))).toEqual(before)
})

it('are found by their uuid, in short and in long histories', async () => {
  const { store: first, stop } = await open()
  await first.configure(
    settingsMap({
      short: { store_history: true },
      long: { store_history: true, history_size: 20 },
    }),
  )
  const uuids = [uuidOf(1), uuidOf(2), 'a "uuid" \\', uuidOf(4), uuidOf(5), uuidOf(6)]
  const more = (index: number) => (index === 1 ? { message: { text: '2', uuid: uuidOf(1) } } : {})
  for (const [name, count] of [
    ['short', 3],
    ['long', 6],
  ] as const)
    for (const [index, uuid] of uuids.slice(0, count).entries())
      await first.publish([message(name, { uuid, text: `${index + 1}`, more: more(index) })])
  await stop()

  const { store } = await open()
  for (const name of ['short', 'long']) {
    for (const uuid of uuids.slice(0, 3))
      await store.publish([edit(name, { uuid, text: 'edited' })])
    const history = (await historyOf(store, name)) ?? []
    expect(history.slice(0, 3).map(({ body }) => body['message'])).toEqual(
      Array.from({ length: 3 }, () => ({ text: 'edited' })),
    )
    expect((await missedIn(store, name)).slice(0, 3)).toEqual(['edited', 'edited', 'edited'])
    expect(history.slice(3).map(({ body }) => body.uuid)).toEqual(uuids.slice(3, history.length))
  }
})

it('with numbers that do not fit a double keep them', async () => {
  const { store: first, stop } = await open()
  await first.configure(settingsMap({ room: { store_history: true } }))
  const { readJson, writeJson } = await import('../../../src/protocol/exact-numbers.ts')
  const exact = readJson('[1234567890123456789, 1e400]')
  await first.publish([message('room', { more: { exact } }), message('room', { text: 'plain' })])
  await first.compact()
  await stop()
  const { store } = await open()
  const [event] = (await historyOf(store, 'room')) ?? []
  expect(writeJson(event?.body['exact'])).toBe('[1234567890123456789,1e400]')
})

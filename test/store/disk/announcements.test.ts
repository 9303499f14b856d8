import { performance } from 'node:perf_hooks'
import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { channelTopic } from '../../../src/store/store.ts'
import {
  attach,
  channelName,
  channelNames,
  connIdOf,
  connect,
  message,
  settingsMap,
  textOf,
  textsOf,
} from '../../contract/fixtures.ts'
import { openDiskStore } from '../../helpers/disk-store.ts'

const ROOM = channelTopic(channelName('room'))

/** Longer than announcements may take in one event-loop turn. */
function keepBusy(): void {
  const until = performance.now() + 12
  while (performance.now() < until);
}

it('are made of every event that a client catches up with, before it gets them', async () => {
  const store = await openDiskStore({ clock: systemClock })
  onTestFinished(() => store.stop())
  await store.configure(settingsMap({ room: {} }))
  store.listen(ROOM)
  const heard: unknown[] = []
  store.onEvent((event) => void heard.push(textOf(event)))
  const post = (text: string) => store.publish([message('room', { text })])

  const posts = [post('first')]
  keepBusy()
  posts.push(post('second'))
  const committed = Promise.resolve(store.configure(settingsMap({ other: {} })))
  // There is something else to commit by the time that the second is announced.
  posts.push(committed.then(() => post('third')))
  const { events } = await store.missed([{ topic: ROOM, after: 0 }])
  expect(textsOf(events)).toEqual(['first', 'second'])
  expect(heard.slice(0, 2)).toEqual(['first', 'second'])
  await Promise.all(posts)
  expect(heard).toEqual(['first', 'second', 'third'])
})

it('are made to somebody who joins with the same commit', async () => {
  const store = await openDiskStore()
  onTestFinished(() => store.stop())
  await connect(store, 'ann')
  await attach(store, connIdOf(1))
  const heard: unknown[] = []
  store.onEvent((event) => void heard.push(textOf(event)))
  store.onCommand((command) => {
    if (command.type === 'joined') store.listen(ROOM)
  })
  const joined = store.join(connIdOf(1), channelNames('room'), settingsMap({ room: {} }))
  const posted = store.publish([message('room', { text: 'to those who are in' })])
  await Promise.all([joined, posted])
  expect(heard).toEqual(['to those who are in'])
})

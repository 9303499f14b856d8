/** What is on the disk when something is said about it. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Directory } from '../../src/store/disk/directory.ts'
import { load } from '../../src/store/disk/load.ts'
import { channelTopic } from '../../src/store/store.ts'
import {
  channelName,
  connIdOf,
  connect,
  connectFacts,
  message,
  settingsMap,
  userName,
} from '../contract/fixtures.ts'
import { begin } from '../contract/idempotency-cache.ts'
import { freshDirectory, openDiskStore } from '../helpers/disk-store.ts'
import type { SyncMode } from '../../src/store/disk/committer.ts'
import type { Image } from '../../src/store/disk/image.ts'

const ROOM = channelName('room')

describe.each<SyncMode>(['off', 'interval', 'commit'])('with data_sync = %s', (sync) => {
  async function open() {
    const directory = freshDirectory()
    const store = await openDiskStore({ directory, sync })
    onTestFinished(() => store.stop())
    const onDisk = (): Image => load(new Directory(directory)).image
    return { store, onDisk }
  }

  it('a change is on the disk when its call returns', async () => {
    const { store, onDisk } = await open()
    await store.configure(settingsMap({ room: { store_history: true } }))
    expect(onDisk().channels.get(ROOM)?.settings.store_history).toBe(true)
    await connect(store, 'ann', { channels: ['room'] })
    expect(onDisk().connections.get(connIdOf(1))?.since).toEqual(['room', 0])
    await store.setUserState(userName('ann'), { color: 'red' }, undefined)
    expect(onDisk().users.get(userName('ann'))?.state).toEqual({ color: 'red' })
    await store.publish([message('room')], 'a-key')
    expect(onDisk().channels.get(ROOM)?.history.from(0).events).toHaveLength(1)
    expect([...onDisk().onceKeys.keys()]).toEqual(['a-key'])
    await store.attach(connIdOf(1), 'stream')
    expect(onDisk().connections.get(connIdOf(1))?.opened).toBe(2)
    await store.leave(connIdOf(1), [ROOM])
    expect([...(onDisk().channels.get(ROOM)?.floors ?? [])]).toEqual([['u:ann', Infinity]])
    await store.drop(connIdOf(1))
    expect(onDisk().connections.size).toBe(0)
  })

  it('an event is on the disk when it is announced, and so is what a read shows', async () => {
    const { store, onDisk } = await open()
    await store.configure(settingsMap({ room: { store_history: true } }))
    store.listen(channelTopic(ROOM))
    const late: number[] = []
    store.onEvent(({ n }) => {
      if (onDisk().facts.head < n) late.push(n)
    })
    for (let turn = 0; turn < 20; turn++) {
      const published = [0, 1, 2].map(() => store.publish([message('room')]))
      const { head } = await store.missed([{ topic: channelTopic(ROOM), after: 0 }])
      expect(onDisk().facts.head).toBeGreaterThanOrEqual(head)
      await Promise.all(published)
    }
    expect(late).toEqual([])
  })

  it('a response is on the disk before it is given to the next that asks', async () => {
    const { store, onDisk } = await open()
    const cache = store.idempotencyCache()
    const settle = await begin(cache, 'a-key')
    await settle({ status: 200, text: '[]' }, true)
    expect([...onDisk().answers.keys()]).toEqual(['a-key'])
  })
})

describe('changes of one turn', () => {
  it('share a commit', async () => {
    const directory = freshDirectory()
    const store = await openDiskStore({ directory })
    onTestFinished(() => store.stop())
    const before = store.figures().disk?.bytes ?? 0
    await store.connect(connectFacts('ann', { channels: ['room'] }))
    const one = (store.figures().disk?.bytes ?? 0) - before
    const many = Array.from({ length: 100 }, (_, index) =>
      store.connect(connectFacts('ann', { id: index + 2, channels: ['room'] })),
    )
    await Promise.all(many.map(async (each) => each))
    const all = (store.figures().disk?.bytes ?? 0) - before - one
    // The record of the user and the facts of the store are written once.
    expect(all).toBeLessThan(40 * one)
  })
})

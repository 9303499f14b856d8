import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { storeContract } from '../contract/store.ts'
import { ManualClock } from '../helpers/clock.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import {
  allChannels,
  connectedUsers,
  Heard,
  channelName,
  channelNames,
  connIdOf,
  connect,
  connectFacts,
  message,
  settingsMap,
  userName,
  whisper,
} from '../contract/fixtures.ts'
import { channelTopic, userTopic } from '../../src/store/store.ts'

storeContract('memory', (clock) => new MemoryStore(clock, CONTRACT_OPTIONS))

/** Has its own frame on the stack, which is gone when the garbage is collected. */
function publishTo(store: MemoryStore): WeakRef<object> {
  store.configure(settingsMap({ room: { store_history: true } }))
  const published = message('room')
  store.publish([published])
  return new WeakRef(published.body)
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await new Promise((resolve) => setImmediate(resolve))
  collect()
}

describe('the memory store', () => {
  const ROOM = channelTopic(channelName('room'))

  function openStore() {
    const clock = new ManualClock()
    const store = new MemoryStore(clock, CONTRACT_OPTIONS)
    return { clock, store, heard: new Heard(store) }
  }

  it('holds nothing when everyone has gone and was forgotten', async () => {
    const { clock, store } = openStore()
    for (let id = 1; id <= 20; id++) {
      const channels = [`room ${id % 3}`, `room ${id}`]
      await connect(store, `user ${id % 7}`, { id, channels, waitMs: 1000 })
      if (id % 2 === 0) store.attach(connIdOf(id))
      store.publish([message('room 1'), whisper(['user 1'])])
    }
    for (let id = 2; id <= 20; id += 2) store.detach(connIdOf(id), 1, 1000)
    await clock.advance(1500)
    for (const connId of store.sweep()) store.drop(connId)
    await clock.advance(CONTRACT_OPTIONS.gcUsersMs + CONTRACT_OPTIONS.gcChannelsMs)
    expect(store.sweep()).toEqual([])
    expect(store.figures()).toMatchObject({
      users: 0,
      connectedUsers: 0,
      connections: 0,
      channels: 0,
    })
    expect(await connectedUsers(store)).toEqual([])
    expect(await allChannels(store, { users: true, history: true })).toEqual([])
    const topics = [ROOM, userTopic(userName('user 1'))].map((topic) => ({ topic, after: 0 }))
    expect(store.missed(topics).events).toEqual([])
    await clock.advance(60_000)
    expect(store.sweep()).toEqual([])
  })

  it('lets go of the events that it forgets', async () => {
    const { clock, store } = openStore()
    const remembered = publishTo(store)
    await clock.advance(CONTRACT_OPTIONS.gcChannelsMs + 300)
    store.sweep()
    await collectGarbage()
    expect(remembered.deref()).toBeUndefined()
  })

  it('answers at once, and announces before publish returns', () => {
    const { store, heard } = openStore()
    expect(store.connect(connectFacts('ann', { channels: ['room'] }))).toHaveProperty('outcome')
    store.listen(ROOM)
    store.publish([message('room', { text: 'now' })])
    expect(heard.texts).toEqual(['now'])
  })

  it('sets no timer: sweeping is for its owner', () => {
    const { clock, store } = openStore()
    store.connect(connectFacts('ann', { channels: ['room'] }))
    expect(clock.pending).toBe(0)
  })

  it('has an epoch of its own in every process', () => {
    expect(openStore().store.epoch).not.toBe(openStore().store.epoch)
  })

  it('counts from 1', () => {
    const { store } = openStore()
    expect(store.missed([]).head).toBe(0)
    store.configure(settingsMap({ room: {} }))
    store.publish([message('room')])
    expect(store.missed([{ topic: ROOM, after: 0 }]).events.map(({ n }) => n)).toEqual([1])
  })

  it('tells nobody anything after it was stopped', () => {
    const { store, heard } = openStore()
    store.connect(connectFacts('ann', { channels: ['room'] }))
    store.listen(ROOM)
    store.attach(connIdOf(1))
    store.stop()
    store.publish([message('room')])
    store.leave(connIdOf(1), channelNames('room'))
    expect(heard).toMatchObject({ announced: [], commands: [] })
  })
})

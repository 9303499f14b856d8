import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { MemoryStore } from '../../../src/store/memory/store.ts'
import { channelTopic, userTopic } from '../../../src/store/store.ts'
import { CONTRACT_OPTIONS } from '../../contract/bench.ts'
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
  textsOf,
  userName,
  whisper,
} from '../../contract/fixtures.ts'
import { storeContract } from '../../contract/store.ts'
import { webhookContract } from '../../contract/webhook-queue.ts'
import { ManualClock } from '../../helpers/clock.ts'

storeContract('memory', (clock) => new MemoryStore(clock, CONTRACT_OPTIONS))

webhookContract('memory', (clock, webhooks) => {
  const store = new MemoryStore(clock, { ...CONTRACT_OPTIONS, webhooks })
  if (!store.webhookQueue) throw new Error('no queue')
  return { store, queue: store.webhookQueue }
})

/** A clock so fast that each event-loop turn has time for one announcement only. */
function slowTurns() {
  let now = 0
  return { now: () => (now += 1000), soon: (run: () => void) => void setImmediate(run) }
}
storeContract(
  'memory, with an announcement a turn',
  (clock) => new MemoryStore(clock, CONTRACT_OPTIONS, slowTurns()),
)

/** A function of its own, so that its stack frame keeps nothing alive during garbage collection. */
function publishTo(store: MemoryStore): WeakRef<object> {
  store.configure(settingsMap({ room: { store_history: true } }))
  const published = message('room')
  void store.publish([published])
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
      void store.publish([message('room 1'), whisper(['user 1'])])
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
    expect((await store.missed(topics)).events).toEqual([])
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
    void store.publish([message('room', { text: 'now' })])
    expect(heard.texts).toEqual(['now'])
  })

  describe('where announcing takes long', () => {
    function openSlow() {
      const store = new MemoryStore(new ManualClock(), CONTRACT_OPTIONS, slowTurns())
      store.configure(settingsMap({ room: {} }))
      store.listen(ROOM)
      return { store, heard: new Heard(store) }
    }
    const texts = ['1', '2', '3', '4']
    const list = texts.map((text) => message('room', { text }))

    it('answers who published once everything is announced, in order', async () => {
      const { store, heard } = openSlow()
      const published = store.publish(list)
      expect(heard.texts.length).toBeLessThan(4)
      await published
      expect(heard.texts).toEqual(texts)
    })

    it('keeps everything at once, and says what was missed when it has been announced', async () => {
      const { store, heard } = openSlow()
      void store.publish(list)
      const missed = store.missed([{ topic: ROOM, after: 0 }])
      void store.publish([message('room', { text: 'later' })])
      expect(textsOf((await missed).events)).toEqual(texts)
      expect(heard.texts.slice(0, 4)).toEqual(texts)
    })
  })

  it('sets no timer: sweeping is for its owner', () => {
    const { clock, store } = openStore()
    store.connect(connectFacts('ann', { channels: ['room'] }))
    expect(clock.pending).toBe(0)
  })

  it('goes by what has passed, however the calendar steps', async () => {
    for (const step of [-600_000, 600_000]) {
      const clock = new ManualClock()
      const store = new MemoryStore(clock, CONTRACT_OPTIONS)
      store.connect(connectFacts('ann', { waitMs: 10_000 }))
      vi.spyOn(clock, 'wallTime').mockImplementation(
        () => Date.UTC(2030, 0, 1) + clock.now() + step,
      )
      await clock.advance(9_900)
      expect(store.sweep()).toEqual([])
      await clock.advance(400)
      expect(store.sweep()).toEqual([connIdOf(1)])
    }
  })

  it('has an epoch of its own in every process', () => {
    expect(openStore().store.epoch).not.toBe(openStore().store.epoch)
  })

  it('counts from 1', async () => {
    const { store } = openStore()
    expect((await store.missed([])).head).toBe(0)
    store.configure(settingsMap({ room: {} }))
    void store.publish([message('room')])
    const { events } = await store.missed([{ topic: ROOM, after: 0 }])
    expect(events.map(({ n }) => n)).toEqual([1])
  })

  it('tells nobody anything after it was stopped', () => {
    const { store, heard } = openStore()
    store.connect(connectFacts('ann', { channels: ['room'] }))
    store.listen(ROOM)
    store.attach(connIdOf(1))
    store.stop()
    void store.publish([message('room')])
    store.leave(connIdOf(1), channelNames('room'))
    expect(heard).toMatchObject({ announced: [], commands: [] })
  })
})

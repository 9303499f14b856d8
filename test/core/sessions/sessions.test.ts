import { describe, expect, it } from 'vitest'
import { CLOSE } from '../../../src/protocol/close-codes.ts'
import {
  ChannelConfigRequest,
  DeletesRequest,
  EditsRequest,
  UnsubscribeRequest,
} from '../../../src/protocol/requests.ts'
import { channelTopic } from '../../../src/store/store.ts'
import { channelName, connIdOf } from '../../contract/fixtures.ts'
import { ArraySink } from '../../helpers/sink.ts'
import { Client, HUB_OPTIONS, ScriptRunner } from '../fixtures.ts'
import type { ConnId, Cursor } from '../../../src/protocol/ids.ts'

const PRESENCE = { channel_configs: { room: { notify_presence: true } } }
/** Sweeps run twice a second, and deadlines may be 250 ms late. */
const SWEEP_MS = 750

/** ann, and bob who gets her presence, in a room that announces presence. */
async function gather(options = {}) {
  const at = new ScriptRunner(options)
  const bob = await at.enter('bob', ['room'], PRESENCE)
  const ann = await at.enter('ann', ['room'])
  bob.heard()
  return { at, ann, bob }
}

const unsubscribe = (at: ScriptRunner, connId: ConnId, ...channels: string[]) =>
  at.hub.unsubscribe(UnsubscribeRequest.parse({ conn_id: connId, channels }))

describe('a client that opens a connection', () => {
  it('is told of one that nobody knows', async () => {
    const at = new ScriptRunner()
    const nobody = new Client(at, connIdOf(77))
    expect(await nobody.attempt()).toEqual({ outcome: 'unknown' })
    expect(at.hub.openConnections).toBe(0)
  })

  it('gets what was said since it was connected, then what comes', async () => {
    const at = new ScriptRunner()
    await at.connect('somebody', ['room'])
    await at.say('room', 'too early')
    const ann = new Client(at, await at.connect('ann', ['room']))
    await at.say('room', ['a', 'b'])
    await at.say(null, 'to ann', { pm_users: ['ann'] })
    await at.say('room', 'not to ann', { exclude_users: ['ann'] })
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)', 'b (late)', 'to ann (late)'])
    await at.saySoon('room', 'c')
    expect(ann.heard()).toEqual(['c'])
  })

  it('gets nothing twice that is said while it is being caught up, and nothing late after live', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    await at.say('room', 'before')
    const answer = at.store.hold('missed')
    const opening = ann.open()
    await at.clock.endTurn()
    await at.say('room', ['meanwhile', 'and more'])
    answer()
    await opening
    expect(ann.heard()).toEqual(['before (late)', 'meanwhile', 'and more'])
  })

  it('gets once what is said before the missed is read, and after it listens', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const answer = at.store.hold('listen')
    const opening = ann.open()
    await at.clock.endTurn()
    await at.say('room', 'meanwhile')
    answer()
    await opening
    expect(ann.heard()).toEqual(['meanwhile (late)'])
  })

  it('gets what is said meanwhile in a channel that keeps no frames', async () => {
    const at = new ScriptRunner()
    const configs = { channel_configs: { room: { store_frames: false } } }
    const ann = new Client(at, await at.connect('ann', ['room'], configs))
    const answer = at.store.hold('listen')
    const opening = ann.open()
    await at.clock.endTurn()
    await at.say('room', 'meanwhile')
    answer()
    await opening
    await at.saySoon('room', 'afterwards')
    expect(ann.heard()).toEqual(['meanwhile', 'afterwards'])
  })

  it('gets what it missed as late, in its place, where only a part of it can be read', async () => {
    const at = new ScriptRunner()
    const configs = { channel_configs: { quiet: { store_frames: false } } }
    const ann = new Client(at, await at.connect('ann', ['room', 'quiet'], configs))
    const answer = at.store.hold('listen')
    const opening = ann.open()
    await at.clock.endTurn()
    await at.say('quiet', '1')
    await at.say('room', '2')
    await at.say('quiet', '3')
    answer()
    await opening
    expect(ann.heard()).toEqual(['1 (late)', '2 (late)', '3'])
  })

  it('gets what is said meanwhile, also if it names a cursor that is ahead', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const answer = at.store.hold('missed')
    const opening = ann.open('stream', { epoch: at.store.epoch, n: 1000 })
    await at.clock.endTurn()
    await at.say('room', 'meanwhile')
    answer()
    await opening
    expect(ann.heard()).toEqual(['gap: room, private', 'meanwhile'])
  })

  it('lets go of the sink when what was missed cannot be read, and may come again', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const missed = at.store.missed.bind(at.store)
    const fault = new Error('no connection to the store')
    at.store.missed = () => {
      throw fault
    }
    await at.say('room', 'a')
    await expect(ann.attempt()).rejects.toThrow(fault)
    expect(at.hub.openConnections).toBe(0)
    at.store.missed = missed
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)'])
  })
})

describe('a client that names a cursor', () => {
  it('gets again what came after it', async () => {
    const { at, ann } = await gather()
    await at.saySoon('room', ['a', 'b', 'c'])
    const [epoch = '', n = ''] = ann.sink.take()[0]?.id.split('-') ?? []
    await ann.lose('broke-off')
    await ann.open('stream', { epoch, n: Number(n) })
    expect(ann.heard()).toEqual(['b (late)', 'c (late)'])
  })

  it.each<[string, (at: ScriptRunner) => Cursor]>([
    ['of another epoch', () => ({ epoch: 'before', n: 1 })],
    ['that is ahead of everything', (at) => ({ epoch: at.store.epoch, n: 9999 })],
  ])('%s is told that everything may be missing', async (_, cursorOf) => {
    const { at, ann } = await gather()
    await ann.lose('broke-off')
    await ann.open('stream', cursorOf(at))
    expect(ann.heard()).toEqual(['gap: room, private'])
    await at.saySoon('room', 'a')
    expect(ann.heard()).toEqual(['a'])
  })

  it('is told of a gap where the frames do not reach back, even if it opens for the first time', async () => {
    const at = new ScriptRunner({ channelFrames: 2 })
    const ann = new Client(at, await at.connect('ann', ['room']))
    await at.say('room', ['a', 'b', 'c'])
    await ann.open('stream', { epoch: at.store.epoch, n: 0 })
    expect(ann.heard()).toEqual(['gap: room', 'b (late)', 'c (late)'])
  })
})

describe('a client that closes its end', () => {
  it('has left: its connection ends at once, and the others are told once', async () => {
    const { at, ann, bob } = await gather()
    await ann.lose('left')
    expect(bob.heard()).toEqual(['ann parted'])
    expect(await at.hub.hasConnection(ann.connId)).toBe(false)
    expect(await ann.attempt()).toEqual({ outcome: 'unknown' })
    await ann.lose('left')
    await at.clock.advance(60_000)
    expect(bob.heard()).toEqual([])
  })

  it('has left with one of its connections only', async () => {
    const { at, ann, bob } = await gather()
    const second = await at.enter('ann', ['room'])
    await ann.lose('left')
    expect(bob.heard()).toEqual([])
    await at.saySoon('room', 'a')
    expect(second.heard()).toEqual(['a'])
    await second.lose('left')
    expect(bob.heard()).toEqual(['a', 'ann parted'])
  })
})

describe('a client that breaks off', () => {
  it('gets what it missed once and in order when it comes back, and nobody is told', async () => {
    const { at, ann, bob } = await gather()
    await at.saySoon('room', 'a')
    expect(ann.heard()).toEqual(['a'])
    await ann.lose('broke-off')
    await at.say('room', ['b', 'c'])
    await at.say(null, 'd', { pm_users: ['ann'] })
    await at.say('room', 'not for ann', { pm_users: ['bob'] })
    await at.clock.advance(HUB_OPTIONS.resumeWindowMs - 1000)
    expect(ann.heard()).toEqual([])
    bob.heard()
    await ann.open()
    expect(ann.heard()).toEqual(['b (late)', 'c (late)', 'd (late)'])
    await at.saySoon('room', 'e')
    expect(ann.heard()).toEqual(['e'])
    for (let beats = 0; beats < 10; beats++) {
      for (const { connection } of [ann, bob]) if (connection) at.hub.sessions.seen(connection)
      await at.clock.advance(5000)
    }
    expect(bob.heard()).toEqual(['e'])
  })

  it('gets what was waiting for it when it broke off', async () => {
    const { at, ann } = await gather()
    ann.sink.writable = false
    await at.saySoon('room', ['a', 'b'])
    await ann.lose('broke-off')
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)', 'b (late)'])
  })

  it('gets what its sink was given but had not sent', async () => {
    const { at, ann } = await gather()
    await at.saySoon('room', ['a', 'b', 'c'])
    const [first] = ann.sink.take()
    ann.sink.left = Number(first?.id.split('-')[1])
    await ann.lose('broke-off')
    await ann.open()
    expect(ann.heard()).toEqual(['b (late)', 'c (late)'])
  })

  it('is a member meanwhile, and parted when it does not come back in time', async () => {
    const { at, ann, bob } = await gather()
    await ann.lose('broke-off')
    if (bob.connection) at.hub.sessions.seen(bob.connection)
    await at.clock.advance(HUB_OPTIONS.resumeWindowMs - 5000)
    if (bob.connection) at.hub.sessions.seen(bob.connection)
    await at.clock.advance(4999)
    expect(bob.heard()).toEqual([])
    await at.clock.advance(1 + SWEEP_MS)
    expect(bob.heard()).toEqual(['ann parted'])
    expect(await ann.attempt()).toEqual({ outcome: 'unknown' })
  })

  it('is told of a gap when it comes back after more than the frames hold', async () => {
    const { at, ann } = await gather({ channelFrames: 2 })
    await ann.lose('broke-off')
    await at.say('room', ['a', 'b'])
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)', 'b (late)'])
    await ann.lose('broke-off')
    await at.say('room', ['c', 'd', 'e'])
    await ann.open()
    expect(ann.heard()).toEqual(['gap: room', 'd (late)', 'e (late)'])
  })

  it('is told of a gap once, not each time that it comes back', async () => {
    const { at, ann } = await gather()
    await at.subscribe(ann.connId, 'unkept')
    await at.hub.configureChannels(ChannelConfigRequest.parse({ unkept: { store_frames: false } }))
    await ann.lose('broke-off')
    await at.say('room', 'a')
    await at.say('unkept', 'lost')
    await ann.open()
    expect(ann.heard()).toEqual(['gap: unkept', 'a (late)'])
    await ann.lose('broke-off')
    await ann.open()
    expect(ann.heard()).toEqual([])
  })

  it('gets of a channel that it joined meanwhile what came after the joining', async () => {
    const { at, ann } = await gather()
    await ann.lose('broke-off')
    await at.connect('somebody', ['late'])
    await at.say('late', 'before')
    await at.subscribe(ann.connId, 'late')
    await at.say('late', 'after')
    await ann.open()
    expect(ann.heard()).toEqual(['after (late)'])
  })

  it('gets nothing of a channel that it left meanwhile', async () => {
    const { at, ann } = await gather()
    await ann.lose('broke-off')
    await at.say('room', 'a')
    await unsubscribe(at, ann.connId, 'room')
    await ann.open()
    await at.saySoon('room', 'b')
    expect(ann.heard()).toEqual([])
  })

  it('gets an edited message as it is now, and no message that was deleted', async () => {
    const { at, ann } = await gather()
    await ann.lose('broke-off')
    await at.say('room', 'a', { uuid: connIdOf(500) })
    await at.say('room', 'b', { uuid: connIdOf(501) })
    const edit = { uuid: connIdOf(500), channel: 'room', message: { text: 'A' } }
    await at.hub.editMessages(EditsRequest.parse([edit]))
    await at.hub.deleteMessages(DeletesRequest.parse([{ uuid: connIdOf(501), channel: 'room' }]))
    await ann.open()
    expect(ann.heard()).toEqual(['A (late)', 'edit: A (late)', 'message:delete (late)'])
  })
})

describe('a second stream', () => {
  it('takes over: the first stays open and gets nothing any more', async () => {
    const { at, ann } = await gather()
    const older = ann.sink
    await at.saySoon('room', 'a')
    await ann.open()
    await at.saySoon('room', 'b')
    expect(ann.heard()).toEqual(['b'])
    expect(older.events.map(({ id }) => id)).toHaveLength(1)
    expect(older).toMatchObject({ closed: undefined, isReleased: true })
  })

  it('does not get what the first got in that very turn', async () => {
    const { at, ann } = await gather()
    const older = ann.sink
    await at.say('room', 'a')
    await ann.open()
    expect(older.events).toHaveLength(1)
    expect(ann.heard()).toEqual([])
  })

  it('gets what the first could not take any more', async () => {
    const { at, ann } = await gather()
    const older = ann.sink
    older.writable = false
    await at.saySoon('room', ['a', 'b'])
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)', 'b (late)'])
    older.writable = true
    if (ann.connection) at.hub.sessions.drained(ann.connection, older)
    expect(older.events).toEqual([])
  })

  it('writes once a turn, whatever becomes of the first', async () => {
    const { at, ann } = await gather()
    const older = ann.sink
    await ann.open()
    await at.say('room', 'a')
    if (ann.connection) at.hub.sessions.drained(ann.connection, older)
    await at.say('room', 'b')
    await at.clock.endTurn()
    expect(ann.sink.writes).toEqual([2])
  })

  it('gets what the first was given but had not sent', async () => {
    const { at, ann } = await gather()
    await at.saySoon('room', ['a', 'b', 'c'])
    const [first] = ann.sink.take()
    ann.sink.left = Number(first?.id.split('-')[1])
    await ann.open()
    expect(ann.heard()).toEqual(['b (late)', 'c (late)'])
  })

  it.each(['left', 'broke-off'] as const)('lives on when the first has %s', async (ending) => {
    const { at, ann, bob } = await gather()
    const older = ann.sink
    await ann.open()
    await ann.lose(ending, older)
    await at.saySoon('room', 'a')
    expect(ann.heard()).toEqual(['a'])
    expect(bob.heard()).toEqual(['a'])
    expect(ann.sink.closed).toBeUndefined()
  })

  it('closes the first when a third comes', async () => {
    const { at, ann } = await gather()
    const first = ann.sink
    const second = await ann.open()
    const third = await ann.open()
    expect(first.closed).toEqual(CLOSE.replaced)
    expect([second.closed, third.closed]).toEqual([undefined, undefined])
    await at.saySoon('room', 'a')
    expect([first, second, third].map(({ events }) => events.length)).toEqual([0, 0, 1])
  })

  it('ends the connection when its client leaves, and closes the first', async () => {
    const { ann, bob } = await gather()
    const older = ann.sink
    await ann.open()
    await ann.lose('left')
    expect(bob.heard()).toEqual(['ann parted'])
    expect(older.closed).toEqual(CLOSE.replaced)
  })

  it('takes over also from one that is still being caught up', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const answer = at.store.hold('missed')
    await at.say('room', 'a')
    const first = ann.attempt()
    const older = ann.sink
    await at.clock.endTurn()
    const second = ann.attempt()
    await at.clock.endTurn()
    await at.say('room', 'b')
    answer()
    expect((await first).outcome).toBe('superseded')
    expect((await second).outcome).toBe('attached')
    expect(older.events).toEqual([])
    expect(ann.heard()).toEqual(['a (late)', 'b'])
  })
})

describe('polls', () => {
  it('wait while a stream is open, and get nothing', async () => {
    const { at, ann } = await gather()
    const stream = ann.sink
    expect(await ann.attempt('poll')).toEqual({ outcome: 'waits' })
    await at.saySoon('room', 'a')
    expect(ann.sink.events).toEqual([])
    expect(stream.events).toHaveLength(1)
    expect(stream.isReleased).toBe(false)
  })

  it('take over from an older poll, which is released', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const older = await ann.open('poll')
    await ann.open('poll')
    expect(older).toMatchObject({ isReleased: true, closed: undefined })
    await at.saySoon('room', 'a')
    expect(ann.heard()).toEqual(['a'])
    expect(older.events).toEqual([])
  })

  it('give way to a stream', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const poll = await ann.open('poll')
    const stream = await ann.open('stream')
    expect(poll).toMatchObject({ isReleased: true, closed: undefined })
    await at.saySoon('room', 'a')
    expect([poll.events.length, stream.events.length]).toEqual([0, 1])
    const third = await ann.open('stream')
    expect([poll.closed, stream.closed, third.closed]).toEqual([undefined, undefined, undefined])
  })

  it('go on where the one before was answered', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    await ann.open('poll')
    await at.saySoon('room', 'a')
    await ann.lose('answered')
    await at.say('room', ['b', 'c'])
    await ann.open('poll')
    expect(ann.heard()).toEqual(['b (late)', 'c (late)'])
    await ann.lose('answered')
    await ann.open('poll')
    expect(ann.heard()).toEqual([])
  })

  it('get no heartbeats', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    await ann.open('poll')
    await at.clock.advance(30_000)
    expect(ann.sink).toMatchObject({ heartbeats: 0, isAbandoned: false, closed: undefined })
  })

  it('end the connection when no further one comes', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    await ann.open('poll')
    await at.clock.advance(60_000)
    await ann.lose('answered')
    await at.clock.advance(HUB_OPTIONS.gcConnsMs - 1)
    expect(await at.hub.hasConnection(ann.connId)).toBe(true)
    await at.clock.advance(1 + SWEEP_MS)
    expect(await at.hub.hasConnection(ann.connId)).toBe(false)
  })
})

describe('a client that shows no life', () => {
  it('shows it by opening the connection, however long the server has been running', async () => {
    const at = new ScriptRunner()
    await at.clock.advance(10 * HUB_OPTIONS.gcConnsMs)
    const ann = await at.enter('ann', ['room'])
    await at.clock.advance(5000)
    expect(ann.sink).toMatchObject({ heartbeats: 1, isAbandoned: false })
  })

  it('gets heartbeats for as long as it answers', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'])
    for (let beat = 1; beat <= 20; beat++) {
      await at.clock.advance(5000)
      expect(ann.sink.heartbeats).toBe(beat)
      if (ann.connection) at.hub.sessions.seen(ann.connection)
    }
    expect(ann.sink.isAbandoned).toBe(false)
  })

  it('is abandoned, and told to the others only when it does not come back', async () => {
    const { at, ann, bob } = await gather()
    const stayAlive = async (ms: number): Promise<void> => {
      for (let waited = 0; waited < ms; waited += 1000) {
        if (bob.connection) at.hub.sessions.seen(bob.connection)
        await at.clock.advance(1000)
      }
    }
    await stayAlive(HUB_OPTIONS.gcConnsMs)
    expect(ann.sink.isAbandoned).toBe(false)
    await stayAlive(5000)
    expect(ann.sink).toMatchObject({ isAbandoned: true, closed: undefined })
    const beats = ann.sink.heartbeats
    expect(at.hub.openConnections).toBe(1)
    await stayAlive(HUB_OPTIONS.resumeWindowMs - 6000)
    expect(bob.heard()).toEqual([])
    await stayAlive(7000)
    expect(bob.heard()).toEqual(['ann parted'])
    expect(ann.sink.heartbeats).toBe(beats)
    expect(bob.sink.isAbandoned).toBe(false)
  })

  it('is not abandoned while it takes what waits for it, and is once it takes nothing more', async () => {
    const { at, ann } = await gather()
    let isReading = true
    ann.sink.progressed = () => isReading
    await at.clock.advance(4 * HUB_OPTIONS.gcConnsMs)
    expect(ann.sink.isAbandoned).toBe(false)
    isReading = false
    await at.clock.advance(HUB_OPTIONS.gcConnsMs + 5000)
    expect(ann.sink.isAbandoned).toBe(true)
  })

  it('is not blamed for a time in which the server itself was paused', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'])
    await at.clock.advance(5000)
    if (ann.connection) at.hub.sessions.seen(ann.connection)
    at.clock.leap(10 * HUB_OPTIONS.gcConnsMs)
    await at.clock.advance(5000)
    expect(ann.sink.isAbandoned).toBe(false)
    await at.clock.advance(HUB_OPTIONS.gcConnsMs)
    expect(ann.sink.isAbandoned).toBe(true)
  })

  it('comes back for what it missed', async () => {
    const { at, ann } = await gather()
    await at.clock.advance(21_000)
    expect(ann.sink.isAbandoned).toBe(true)
    await at.say('room', 'a')
    await ann.open()
    expect(ann.heard()).toEqual(['a (late)'])
  })

  it.each(['listen', 'missed'] as const)(
    'is abandoned also while the store takes its time to say what it missed (%s)',
    async (method) => {
      const at = new ScriptRunner()
      const ann = new Client(at, await at.connect('ann', ['room']))
      const answer = at.store.hold(method)
      const opening = ann.attempt()
      await at.clock.advance(HUB_OPTIONS.gcConnsMs + 6000)
      expect(ann.sink.isAbandoned).toBe(true)
      answer()
      expect((await opening).outcome).not.toBe('attached')
      expect(at.hub.openConnections).toBe(0)
      await at.clock.advance(HUB_OPTIONS.resumeWindowMs + SWEEP_MS)
      expect(await at.hub.hasConnection(ann.connId)).toBe(false)
    },
  )

  it('was never there, and its connection ends', async () => {
    const at = new ScriptRunner()
    const connId = await at.connect('ann', ['room'])
    await at.clock.advance(HUB_OPTIONS.gcConnsMs - 1)
    expect(await at.hub.hasConnection(connId)).toBe(true)
    await at.clock.advance(1 + SWEEP_MS)
    expect(await at.hub.hasConnection(connId)).toBe(false)
  })
})

describe('a client that reads too slowly', () => {
  it('is sent away with a code that says why, and loses nothing when it comes back', async () => {
    const { at, ann, bob } = await gather({ channelFrames: 100 })
    ann.sink.writable = false
    const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
    for (const text of texts) await at.saySoon('room', text)
    expect(ann.sink.closed).toEqual(CLOSE.slowReader)
    expect(at.hub.openConnections).toBe(1)
    await ann.open()
    expect(ann.heard()).toEqual(texts.map((text) => `${text} (late)`))
    expect(bob.heard()).toEqual(texts)
  })

  it('gets on as soon as its network does, if it was within the limit', async () => {
    const { at, ann } = await gather()
    ann.sink.writable = false
    await at.saySoon('room', 'a')
    await at.saySoon('room', 'b')
    expect(ann.heard()).toEqual([])
    ann.sink.writable = true
    if (ann.connection) at.hub.sessions.drained(ann.connection, ann.sink)
    expect(ann.heard()).toEqual(['a', 'b'])
    expect(ann.sink.writes).toEqual([2])
  })

  it('takes nothing from the others when it is sent away', async () => {
    const at = new ScriptRunner({ channelFrames: 100 })
    const slow = await at.enter('slow', ['room'])
    const others = [
      await at.enter('one', ['room']),
      await at.enter('two', ['room']),
      await at.enter('three', ['room']),
    ]
    slow.sink.writable = false
    const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
    for (const text of texts) await at.saySoon('room', text)
    expect(slow.sink.closed).toEqual(CLOSE.slowReader)
    for (const other of others) expect(other.heard()).toEqual(texts)
  })
})

describe('a connection that is ended by the backend', () => {
  it('is closed at once, and whoever else had it open as well', async () => {
    const { at, ann, bob } = await gather()
    const older = ann.sink
    await ann.open()
    expect(await at.hub.disconnect(ann.connId)).toBe(true)
    await at.clock.endTurn()
    expect(ann.sink.closed).toEqual(CLOSE.ended)
    expect(older.closed).toEqual(CLOSE.replaced)
    expect(bob.heard()).toEqual(['ann parted'])
    expect(at.hub.openConnections).toBe(1)
    await ann.lose('left')
    expect(bob.heard()).toEqual([])
  })

  it('is sent first what was said before, though its turn has not ended', async () => {
    const { at, ann } = await gather()
    await at.say('room', 'goodbye')
    expect(await at.hub.disconnect(ann.connId)).toBe(true)
    expect(ann.sink.closed).toEqual(CLOSE.ended)
    expect(ann.heard()).toEqual(['goodbye'])
  })

  it.each(['attach', 'listen', 'missed'] as const)(
    'is closed too if a client is just opening it (%s)',
    async (method) => {
      const at = new ScriptRunner()
      const ann = new Client(at, await at.connect('ann', ['room']))
      const answer = at.store.hold(method)
      const opening = ann.attempt()
      await at.clock.endTurn()
      expect(await at.hub.disconnect(ann.connId)).toBe(true)
      answer()
      const { outcome } = await opening
      expect(outcome).not.toBe('attached')
      expect(at.hub.openConnections).toBe(0)
      await at.connect('somebody', ['room'])
      await at.saySoon('room', 'secret')
      expect(ann.heard()).toEqual([])
    },
  )
})

describe('a server that stops', () => {
  it('sends first what was said before, though the turn has not ended', async () => {
    const { at, ann, bob } = await gather()
    await at.say('room', 'goodbye')
    at.hub.sendAway({ overMs: 0, startMs: 0, resumeWindowMs: 15_000 })
    for (const client of [ann, bob]) {
      expect(client.sink.closed?.code).toBe(CLOSE.stopping.code)
      expect(client.heard()).toEqual(['goodbye'])
    }
  })
})

describe('a connection that is ended in the very turn in which a client opens it', () => {
  it('is not open afterwards', async () => {
    const at = new ScriptRunner()
    const ann = new Client(at, await at.connect('ann', ['room']))
    const opening = ann.attempt()
    expect(await at.hub.disconnect(ann.connId)).toBe(true)
    expect((await opening).outcome).not.toBe('attached')
    expect(at.hub.openConnections).toBe(0)
  })
})

describe('channels that change while a client has the connection open', () => {
  it('are heard from the joining on, and not after the leaving', async () => {
    const { at, ann } = await gather()
    await at.connect('somebody', ['more'])
    await at.saySoon('more', 'before')
    await at.subscribe(ann.connId, 'more')
    await at.saySoon('more', 'between')
    await unsubscribe(at, ann.connId, 'more')
    await at.saySoon('more', 'after')
    expect(ann.heard()).toEqual(['between'])
  })

  it('are heard by a second connect with the id too', async () => {
    const { at, ann } = await gather()
    await at.connect('ann', ['more'], { conn_id: ann.connId })
    await at.saySoon('more', 'a')
    expect(ann.heard()).toEqual(['a'])
  })

  it.each(['attach', 'listen', 'missed'] as const)(
    'are heard from the joining on if they are joined while the client is just coming back (%s)',
    async (method) => {
      const at = new ScriptRunner()
      const ann = await at.enter('ann', ['room'])
      await ann.lose('broke-off')
      await at.connect('somebody', ['more'])
      await at.say('more', 'before')
      const answer = at.store.hold(method)
      const opening = ann.attempt()
      await at.clock.endTurn()
      await at.subscribe(ann.connId, 'more')
      await at.say('more', 'meanwhile')
      answer()
      await opening
      await at.saySoon('more', 'afterwards')
      expect(ann.heard().map((text) => text.replace(' (late)', ''))).toEqual([
        'meanwhile',
        'afterwards',
      ])
    },
  )

  it('are heard from the joining on, also where the store begins late to announce them', async () => {
    const { at, ann } = await gather()
    const answer = at.store.hold('listen')
    await at.subscribe(ann.connId, 'more')
    await at.say('more', '1')
    await at.say('room', '2')
    answer()
    await at.saySoon('more', '3')
    expect(ann.heard()).toEqual(['1', '2', '3'])
  })

  it('are heard in the order of publication, also if they are joined one after the other', async () => {
    const { at, ann } = await gather()
    const answer = at.store.hold('listen')
    await at.subscribe(ann.connId, 'first')
    await at.subscribe(ann.connId, 'second')
    await at.say('second', '1')
    await at.say('first', '2')
    answer()
    await at.clock.endTurn()
    await at.saySoon('room', '3')
    expect(ann.heard()).toEqual(['1', '2', '3'])
  })

  it('are not heard any more if they are left before the store announces them', async () => {
    const { at, ann } = await gather()
    await at.connect('somebody', ['one', 'two'])
    const [listening, reading] = [at.store.hold('listen'), at.store.hold('missed')]
    await at.subscribe(ann.connId, 'one')
    await at.subscribe(ann.connId, 'two')
    await unsubscribe(at, ann.connId, 'one')
    await at.say('one', 'secret')
    listening()
    await at.clock.endTurn()
    await unsubscribe(at, ann.connId, 'two')
    await at.say('two', 'secret')
    reading()
    await at.clock.endTurn()
    for (const channel of ['one', 'two']) await at.saySoon(channel, 'secret too')
    await at.saySoon('room', 'for all')
    expect(ann.heard()).toEqual(['for all'])
  })

  it('are heard from the second joining on if they are left and joined again meanwhile', async () => {
    const { at, ann } = await gather()
    const answer = at.store.hold('missed')
    const listening = at.store.hold('listen')
    await at.subscribe(ann.connId, 'more')
    await at.connect('somebody', ['more'])
    await at.say('more', 'before')
    await unsubscribe(at, ann.connId, 'more')
    await at.say('more', 'secret')
    await at.subscribe(ann.connId, 'more')
    await at.say('more', 'after')
    listening()
    await at.clock.endTurn()
    answer()
    await at.saySoon('more', 'the end')
    expect(ann.heard()).toEqual(['after', 'the end'])
  })

  it('are told a gap of, if they keep no frames and the store begins late to announce them', async () => {
    const { at, ann } = await gather()
    const configs = { channel_configs: { quiet: { store_frames: false } } }
    await at.connect('somebody', ['quiet', 'more'], configs)
    const answer = at.store.hold('listen')
    await at.subscribe(ann.connId, 'quiet', 'more')
    const quiet = channelTopic(channelName('quiet'))
    at.store.unlisten(quiet)
    await at.say('quiet', 'lost')
    await at.say('more', 'kept')
    answer()
    at.store.listen(quiet)
    await at.saySoon('quiet', 'afterwards')
    expect(ann.heard()).toEqual(['gap: quiet', 'kept', 'afterwards'])
  })

  it.each(['attach', 'listen', 'missed'] as const)(
    'are not heard any more if they are left while the client is just opening it (%s)',
    async (method) => {
      const at = new ScriptRunner()
      const ann = new Client(at, await at.connect('ann', ['room']))
      await at.connect('somebody', ['room'])
      const answer = at.store.hold(method)
      const opening = ann.attempt()
      await at.clock.endTurn()
      await unsubscribe(at, ann.connId, 'room')
      await at.say('room', 'secret')
      answer()
      await opening
      await at.saySoon('room', 'secret too')
      expect(ann.heard()).toEqual([])
    },
  )
})

describe('what fails in the background', () => {
  it('is told, and stops nobody', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'])
    const fault = new Error('no connection to the store')
    at.store.drop = (() => Promise.reject(fault)) as never
    await ann.lose('left')
    expect(at.faults).toEqual([fault])
  })
})

describe('a sink', () => {
  it('that was never attached may end as it likes', async () => {
    const { at, ann, bob } = await gather()
    await ann.lose('left', new ArraySink())
    await at.saySoon('room', 'a')
    expect(ann.heard()).toEqual(['a'])
    expect(bob.heard()).toEqual(['a'])
  })
})

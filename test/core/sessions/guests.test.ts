import { describe, expect, it } from 'vitest'
import { CLOSE } from '../../../src/protocol/close-codes.ts'
import { InfoOptions } from '../../../src/protocol/requests.ts'
import { channelName, channelNames, userName } from '../../contract/fixtures.ts'
import { atOnce } from '../../helpers/paged-answers.ts'
import { ArraySink } from '../../helpers/sink.ts'
import { HUB_OPTIONS, ScriptRunner } from '../fixtures.ts'
import type { Guest } from '../../../src/core/delivery/guest.ts'

/** A guest with this name that listens to the channels and keeps them. */
async function invite(at: ScriptRunner, name: string, ...channels: string[]) {
  const sink = new ArraySink()
  const guest = at.hub.guests.open(userName(name), sink)
  await at.hub.guests.keep(guest, channelNames(...channels))
  await at.hub.guests.listen(guest, channelNames(...channels))
  return { guest, sink }
}

const textsOf = (sink: ArraySink): unknown[] =>
  sink.events.map((event) => event.type === 'message' && event.message?.['text'])

const infoOf = async (at: ScriptRunner) => atOnce(await at.hub.info(InfoOptions.parse({})))

describe('guests', () => {
  it('get what is said in channels that nobody made before', async () => {
    const at = new ScriptRunner()
    const { sink } = await invite(at, 'guest', 'room')
    await at.saySoon('room', ['one', 'two'])
    await at.saySoon('elsewhere', 'three')
    expect(textsOf(sink)).toEqual(['one', 'two'])
    expect(sink.writes).toEqual([2])
  })

  it('are no users, and nobody is told that they come and go', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'], {
      channel_configs: { room: { notify_presence: true } },
    })
    const { guest } = await invite(at, 'guest', 'room')
    at.hub.guests.close(guest)
    await at.clock.endTurn()
    expect(ann.sink.take()).toEqual([])
    expect(await at.hub.hasUser(userName('guest'))).toBe(false)
    expect((await infoOf(at)).channels['room']).toMatchObject({ total_connections: 1 })
  })

  it('get a private message only if it is theirs and they listen to its channel', async () => {
    const at = new ScriptRunner()
    const { sink: one } = await invite(at, 'one', 'room')
    const { sink: two } = await invite(at, 'two', 'room')
    const { sink: three } = await invite(at, 'three', 'elsewhere')
    await at.saySoon('room', 'for one and three', { pm_users: ['one', 'three'] })
    await at.saySoon('room', 'not for one', { exclude_users: ['one'] })
    expect(textsOf(one)).toEqual(['for one and three'])
    expect(textsOf(two)).toEqual(['not for one'])
    expect(textsOf(three)).toEqual([])
  })

  it('have a name of their own', async () => {
    const at = new ScriptRunner()
    const { guest } = await invite(at, 'guest', 'room')
    expect(() => at.hub.guests.open(userName('guest'), new ArraySink())).toThrow(/is already open/)
    at.hub.guests.close(guest)
    at.hub.guests.open(userName('guest'), new ArraySink())
    at.hub.guests.close(guest)
    expect(at.hub.guests.size).toBe(1)
  })

  it('keep their channels from being forgotten, until they go', async () => {
    const at = new ScriptRunner()
    const { guest, sink } = await invite(at, 'guest', 'room')
    await at.clock.advance(10 * HUB_OPTIONS.gcChannelsMs)
    await at.saySoon('room', 'still there')
    expect(textsOf(sink)).toEqual(['still there'])
    at.hub.guests.close(guest)
    await at.clock.advance(2 * HUB_OPTIONS.gcChannelsMs)
    expect((await infoOf(at)).channels).toEqual({})
  })

  it('do not make channels by listening, nor keep them', async () => {
    const at = new ScriptRunner()
    const guest = at.hub.guests.open(userName('guest'), new ArraySink())
    await at.hub.guests.listen(guest, channelNames('room'))
    expect((await infoOf(at)).channels).toEqual({})
  })

  it('hear no more of a channel once they have stopped to listen to it', async () => {
    const at = new ScriptRunner()
    const { guest, sink } = await invite(at, 'guest', 'room', 'other')
    await at.say('room', 'last')
    at.hub.guests.unlisten(guest, channelNames('room'))
    expect(textsOf(sink)).toEqual(['last'])
    await at.saySoon('room', 'unheard')
    await at.saySoon('other', 'heard')
    expect(textsOf(sink)).toEqual(['last', 'heard'])
  })

  it('are sent away if they read too slowly, and cost nobody else anything', async () => {
    const at = new ScriptRunner()
    const { guest, sink: slow } = await invite(at, 'slow', 'room')
    const { sink: quick } = await invite(at, 'quick', 'room')
    slow.writable = false
    for (let n = 0; n < 5; n++) await at.saySoon('room', 'x'.repeat(900))
    expect(slow.closed).toEqual(CLOSE.slowReader)
    expect(slow.events).toEqual([])
    expect(textsOf(quick)).toHaveLength(5)
    expect(gone(at, guest)).toBe(true)
  })

  it('get what waited for them once the network has taken the rest', async () => {
    const at = new ScriptRunner()
    const { guest, sink } = await invite(at, 'guest', 'room')
    sink.writable = false
    await at.saySoon('room', 'waits')
    sink.writable = true
    at.hub.guests.drained(guest)
    expect(textsOf(sink)).toEqual(['waits'])
  })

  it('are told when the server stops, and leave nothing behind', async () => {
    const at = new ScriptRunner()
    const { sink } = await invite(at, 'guest', 'room')
    await at.say('room', 'goodbye')
    await at.hub.stop()
    expect(textsOf(sink)).toEqual(['goodbye'])
    expect(sink.closed).toEqual(CLOSE.stopping)
    expect(at.hub.guests.size).toBe(0)
    expect(at.clock.pending).toBe(0)
  })

  it('that went while the store was asked are not brought back', async () => {
    const at = new ScriptRunner()
    const guest = at.hub.guests.open(userName('guest'), new ArraySink())
    const release = at.store.hold('ensure')
    const kept = at.hub.guests.keep(guest, [channelName('room')])
    at.hub.guests.close(guest)
    release()
    await kept
    await at.hub.guests.listen(guest, channelNames('room'))
    expect(guest.subscriptions).toEqual([])
    await at.clock.advance(2 * HUB_OPTIONS.gcChannelsMs)
    expect((await infoOf(at)).channels).toEqual({})
  })
})

const gone = (at: ScriptRunner, guest: Guest): boolean =>
  at.hub.guests.size === 1 && guest.sink === undefined && guest.subscriptions.length === 0

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { Listener, RawClient, closeClients } from '../helpers/websocket.ts'

const PRESENCE = { notify_presence: true }
const FRAMES = 5

describe('a client that comes back', () => {
  let server: ServerProcess
  let backend: Backend
  let round = 0

  beforeAll(async () => {
    const settings = { channel_frames: FRAMES, user_frames: FRAMES, resume_window: 30 }
    server = await ServerProcess.start({ settings })
    backend = new Backend(server)
  })
  afterAll(async () => {
    closeClients()
    await killProcesses()
  })

  /** Ann and Bob in a new room. */
  async function meet() {
    const room = `room ${round++}`
    const channel_configs = { [room]: PRESENCE }
    const connId = await backend.connect('ann', [room], { channel_configs })
    const ann = await Listener.open(server, connId)
    const bob = await Listener.open(server, await backend.connect('bob', [room]))
    await until(() => ann.presenceOf('bob').length > 0, 'Bob')
    const say = async (...texts: string[]) => {
      for (const text of texts) await backend.say(room, text)
    }
    return { room, connId, ann, bob, say }
  }

  it('gets what it missed, marked as such, before anything live; nobody is told that it was away', async () => {
    const { connId, ann, bob, say } = await meet()
    await say('seen')
    await ann.heard('seen')
    await ann.breakOff()
    await say('missed 1', 'missed 2')
    const back = await Listener.open(server, connId)
    await say('live')
    await back.heard('live')
    expect(back.events.map(({ message, catchup }) => [message?.text, catchup])).toEqual([
      ['missed 1', true],
      ['missed 2', true],
      ['live', false],
    ])
    await bob.heard('live')
    expect(bob.presenceOf('ann')).toEqual([])
  })

  it('gets what came after the cursor that it names, even if it was sent before', async () => {
    const { connId, ann, say } = await meet()
    await say('1', '2', '3')
    await ann.heard('3')
    const cursor = ann.of('message')[0]?.id ?? ''
    await ann.breakOff()
    await say('4')
    const back = await Listener.open(server, connId, { cursor })
    await back.heard('4')
    expect(back.texts).toEqual(['2', '3', '4'])
    expect(back.of('gap')).toEqual([])
  })

  it('gets nothing if there is nothing', async () => {
    const { connId, ann, bob, say } = await meet()
    await say('seen')
    await ann.heard('seen')
    const cursor = ann.of('message')[0]?.id ?? ''
    await ann.breakOff()
    const back = await Listener.open(server, connId, { cursor })
    await say('live')
    await Promise.all([back.heard('live'), bob.heard('live')])
    expect(back.events).toHaveLength(1)
  })

  it('gets everything at the very edge of what is kept', async () => {
    const { connId, ann, say } = await meet()
    await ann.breakOff()
    await say('1', '2', '3', '4', '5')
    const back = await Listener.open(server, connId)
    await back.heard('5')
    expect(back.texts).toEqual(['1', '2', '3', '4', '5'])
    expect(back.of('gap')).toEqual([])
  })

  it('is told of the gap first, if what it missed is no longer kept', async () => {
    const { room, connId, ann, say } = await meet()
    await ann.breakOff()
    await say('1', '2', '3', '4', '5', '6')
    const back = await Listener.open(server, connId)
    await back.heard('6')
    expect(back.events[0]).toMatchObject({
      type: 'gap',
      channels: [room],
      private: false,
      catchup: true,
    })
    expect(back.events.filter(({ type }) => type === 'gap')).toHaveLength(1)
    expect(back.texts).toEqual(['2', '3', '4', '5', '6'])
  })

  it('is told of a gap of private messages', async () => {
    const { connId, ann } = await meet()
    await ann.breakOff()
    for (const text of ['1', '2', '3', '4', '5', '6'])
      await backend.call('POST /message', [{ user: 'bob', pm_users: ['ann'], message: { text } }])
    const back = await Listener.open(server, connId)
    await back.heard('6')
    expect(back.events[0]).toMatchObject({ type: 'gap', private: true, channels: [] })
  })

  it('is told of the gap where a channel keeps no frames', async () => {
    const { room, connId, ann, say } = await meet()
    await backend.call('POST /channel_config', { [room]: { store_frames: false } })
    await ann.breakOff()
    await say('missed')
    const back = await Listener.open(server, connId)
    await say('live')
    await back.heard('live')
    expect(back.events[0]).toMatchObject({ type: 'gap', channels: [room] })
    expect(back.texts).toEqual(['live'])
  })

  it('is told of the gap when its cursor is of another time, and when it is ahead', async () => {
    const { room, connId, ann, say } = await meet()
    await ann.breakOff()
    const [epoch] = (await Listener.open(server, connId), ann.events[0]?.id ?? '').split('-')
    for (const cursor of ['anothertime-1', `${epoch}-9007199254740991`]) {
      const back = await Listener.open(server, connId, { cursor })
      await say('live')
      await back.heard('live')
      expect(back.events[0]).toMatchObject({ type: 'gap', channels: [room], private: true })
      await back.breakOff()
    }
  })

  it('can go on from the cursor of the gap itself', async () => {
    const { connId, ann, say } = await meet()
    await ann.breakOff()
    await say('1', '2', '3', '4', '5', '6')
    const back = await Listener.open(server, connId)
    await back.heard('6')
    const gap = back.events[0]?.id ?? ''
    await back.breakOff()
    const again = await Listener.open(server, connId, { cursor: gap })
    await again.heard('6')
    expect(again.of('gap')).toEqual([])
    expect(again.texts).toEqual(['2', '3', '4', '5', '6'])
  })

  it('sees edits of what it missed in place, and nothing of what was deleted', async () => {
    const { room, connId, ann, say } = await meet()
    await ann.breakOff()
    const uuids = ['33333333-3333-4333-8333-333333333333', '44444444-4444-4444-8444-444444444444']
    const [edited, deleted] = uuids.map((uuid) => ({ uuid, channel: room }))
    const post = (target: object | undefined, text: string) =>
      backend.call('POST /message', [{ ...target, user: 'bob', message: { text } }])
    await post(edited, 'first version')
    await post(deleted, 'regretted')
    await backend.call('PATCH /message', [{ ...edited, message: { text: 'second version' } }])
    await backend.call('DELETE /message', [deleted])
    const back = await Listener.open(server, connId)
    await say('live')
    await back.heard('live')
    expect(back.frames.join()).not.toMatch(/first version|regretted/)
    expect(back.texts).toEqual(['second version', 'live'])
  })

  it('does not get what was said in a channel before it joined and while it had another open', async () => {
    const { connId, ann, say, room } = await meet()
    const other = `other ${room}`
    await backend.connect('bob', [other])
    await backend.say(other, 'before')
    await ann.breakOff()
    await backend.call('POST /subscribe', { conn_id: connId, channels: [other] })
    await backend.say(other, 'after')
    const back = await Listener.open(server, connId)
    await say('live')
    await back.heard('live')
    expect(back.texts).toEqual(['after', 'live'])
  })

  it('takes over from its older socket, which gets nothing more and may end as it likes', async () => {
    const { connId, ann, bob, say } = await meet()
    await say('1')
    const newer = await Listener.open(server, connId)
    await say('2')
    await newer.heard('2')
    expect([ann.texts, newer.texts]).toEqual([['1'], ['2']])
    await ann.close()
    await say('3')
    await newer.heard('3')
    const newest = await Listener.open(server, connId)
    await newer.breakOff()
    await say('4')
    await Promise.all([newest.heard('4'), bob.heard('4')])
    expect(newest.texts).toEqual(['4'])
    expect(bob.presenceOf('ann')).toEqual([])
  })

  it('is the same person as its half-open socket of before, which it replaces', async () => {
    const { room, bob, say } = await meet()
    const connId = await backend.connect('ghost', [room])
    await RawClient.openWebSocket(server, connId)
    await say('while half open')
    const back = await Listener.open(server, connId)
    await say('live')
    await Promise.all([back.heard('live'), bob.heard('live')])
    expect(back.texts).toEqual(['live'])
    expect(bob.presenceOf('ghost')).toEqual(['joined'])
  })
})

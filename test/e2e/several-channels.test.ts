/** One message to several channels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { uuidOf } from '../contract/fixtures.ts'
import { Backend, send } from '../helpers/http.ts'
import { SITES } from '../helpers/sites.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { Site } from '../helpers/sites.ts'

const KEPT = { store_history: true }

describe.each(SITES)('a message to several channels %s', (_where, start) => {
  let site: Site
  let backend: Backend
  beforeAll(async () => {
    site = await start({ max_messages_per_request: 20, max_channels_per_message: 15 })
    backend = new Backend(site)
    return () => site.close()
  }, 60_000)
  afterAll(closeClients)

  /** Names that only one test uses, of channels that keep a history. */
  let rooms = 0
  async function newRooms(count: number): Promise<string[]> {
    const names = Array.from({ length: count }, () => `room ${++rooms}`)
    const configs = Object.fromEntries(names.map((name) => [name, KEPT]))
    await backend.call('POST /channel_config', configs)
    return names
  }

  const enter = async (user: string, channels: readonly string[]): Promise<Listener> =>
    Listener.open(site.next(), await backend.connect(user, channels))

  const historyOf = async (channel: string) =>
    ((await backend.info()).channels[channel]?.history ?? []).map(({ message }) => message)

  it('reaches the members of each, once in each, with the channel and nothing of the others', async () => {
    const [a = '', b = '', c = ''] = await newRooms(3)
    const both = await enter('ann', [a, b])
    const one = await enter('bob', [b])
    const none = await enter('cem', [c])
    const channels = [b, a, 'unknown', b]
    const given = { user: 'dan', channels, message: { text: 'to all' }, icon: 'wave' }
    const [answer] = await backend.call<object[]>('POST /message', [given])
    expect(answer).toMatchObject({ ...given, channel: null, pm_users: [], edited: null })
    for (const channel of [a, b, c]) await backend.say(channel, 'last')
    for (const listener of [both, one, none]) await listener.heard('last')
    const { uuid, timestamp } = answer as { uuid: string; timestamp: string }
    const event = { type: 'message', uuid, timestamp, user: 'dan', message: given.message }
    const shown = { ...event, date: timestamp, edited: null, catchup: false, icon: 'wave' }
    const heard = both.of('message').filter(({ message }) => message?.text === 'to all')
    expect(heard).toEqual(
      [b, a].map((channel) => ({ ...shown, channel, id: expect.any(String) as string })),
    )
    expect(new Set(heard.map(({ id }) => id)).size).toBe(2)
    expect(one.texts).toEqual(['to all', 'last'])
    expect(none.texts).toEqual(['last'])
  })

  it('does not create unknown channels', async () => {
    const list = [{ user: 'ann', channels: ['nowhere', 'elsewhere'] }]
    expect(await backend.call('POST /message', list)).toMatchObject(list)
    const { channels } = await backend.info()
    expect(Object.keys(channels)).not.toContain('nowhere')
  })

  it('keeps its place among others in each channel, live and in the history', async () => {
    const [a = '', b = ''] = await newRooms(2)
    const inA = await enter('ann', [a])
    const inB = await enter('bob', [b])
    const say = (text: string, ...channels: string[]) => ({
      user: 'x',
      ...(channels.length > 1 ? { channels } : { channel: channels[0] }),
      message: { text },
    })
    await backend.call('POST /message', [
      say('1', a),
      say('2', a, b),
      say('3', b),
      say('4', b, a),
      say('5', a, b),
    ])
    await inA.heard('5')
    await inB.heard('5')
    expect(inA.texts).toEqual(['1', '2', '4', '5'])
    expect(inB.texts).toEqual(['2', '3', '4', '5'])
    const texts = async (channel: string) =>
      (await historyOf(channel)).map((message) => (message as { text: string }).text)
    expect(await texts(a)).toEqual(inA.texts)
    expect(await texts(b)).toEqual(inB.texts)
  })

  it('goes only to the users that it names, and not to those that it excludes', async () => {
    const [a = '', b = ''] = await newRooms(2)
    const ann = await enter('ann', [a, b])
    const bob = await enter('bob', [a])
    const cem = await enter('cem', [b])
    const to = { user: 'x', channels: [a, b] }
    await backend.call('POST /message', [
      { ...to, message: { text: 'for two' }, pm_users: ['ann', 'cem', 'elsewhere'] },
      { ...to, message: { text: 'not for ann' }, exclude_users: ['ann'] },
      { ...to, message: { text: 'last' }, no_history: true },
    ])
    for (const listener of [ann, bob, cem]) await listener.heard('last')
    expect(ann.texts).toEqual(['for two', 'for two', 'last', 'last'])
    expect(bob.texts).toEqual(['not for ann', 'last'])
    expect(cem.texts).toEqual(['for two', 'not for ann', 'last'])
    expect(await historyOf(a)).toEqual([{ text: 'for two' }, { text: 'not for ann' }])
  })

  it('is edited and deleted in the channels that the request names, and in no other', async () => {
    const [a = '', b = '', c = ''] = await newRooms(3)
    const listener = await enter('ann', [a, b, c])
    const uuid = uuidOf(rooms)
    const text = (value: string) => ({ message: { text: value } })
    await backend.call('POST /message', [{ user: 'x', channels: [a, b, c], uuid, ...text('old') }])
    const edited = [{ channels: [c, a], uuid, ...text('new') }]
    expect(await backend.call('PATCH /message', edited)).toMatchObject(edited)
    expect(await Promise.all([a, b, c].map(historyOf))).toEqual([
      [{ text: 'new' }],
      [{ text: 'old' }],
      [{ text: 'new' }],
    ])
    await backend.call('PATCH /message', [{ channel: b, uuid, ...text('own') }])
    const deleted = [{ channels: [a, b], uuid }]
    expect(await backend.call('DELETE /message', deleted)).toMatchObject(deleted)
    expect(await Promise.all([a, b, c].map(historyOf))).toEqual([[], [], [{ text: 'new' }]])
    await backend.say(c, 'last')
    await listener.heard('last')
    const changes = listener.events.slice(3, -1)
    expect(changes.map(({ type, channel }) => [type, channel])).toEqual([
      ['message:edit', c],
      ['message:edit', a],
      ['message:edit', b],
      ['message:delete', a],
      ['message:delete', b],
    ])
    for (const change of changes) expect(change).not.toHaveProperty('channels')
  })

  it('is caught up with in each channel by a client that was away', async () => {
    const [a = '', b = ''] = await newRooms(2)
    const connId = await backend.connect('ann', [a, b])
    const before = await Listener.open(site.next(), connId)
    await before.breakOff()
    await backend.call('POST /message', [
      { user: 'x', channels: [a, b], message: { text: 'missed' } },
    ])
    const after = await Listener.open(site.next(), connId)
    await backend.say(a, 'last')
    await after.heard('last')
    expect(after.events.map(({ channel, message }) => [channel, message?.text])).toEqual([
      [a, 'missed'],
      [b, 'missed'],
      [a, 'last'],
    ])
  })

  it('is posted once if the request is repeated with its key', async () => {
    const [a = '', b = ''] = await newRooms(2)
    const ann = await enter('ann', [a])
    const sending = {
      json: [{ user: 'x', channels: [a, b], message: { text: 'once' } }],
      headers: { 'idempotency-key': crypto.randomUUID() },
    }
    const answers = [
      await backend.send('POST /message', sending),
      await backend.send('POST /message', sending),
    ]
    expect(answers[1]?.text).toBe(answers[0]?.text)
    await backend.say(a, 'last')
    await ann.heard('last')
    expect(ann.texts).toEqual(['once', 'last'])
  })

  const names = (count: number) => Array.from({ length: count }, (_, index) => `c${index}`)
  const uuid = uuidOf(1)

  it.each([
    [{ channel: 'a', channels: ['b'] }, { 0: { channels: ['Not together with channel.'] } }],
    [{ channels: [] }, { 0: { channels: ['Shorter than minimum length 1.'] } }],
    [{ channels: null }, { 0: { channels: ['Field may not be null.'] } }],
    [{ channels: 'a' }, { 0: { channels: ['Not a valid list.'] } }],
    [{ channels: ['a', ''] }, { 0: { channels: { 1: ['Length must be between 1 and 256.'] } } }],
    [{ channels: names(16) }, { 0: { channels: ['Longer than maximum length 15.'] } }],
  ])('is refused, and so are its changes: %j', async (given, complaints) => {
    for (const line of ['POST /message', 'PATCH /message', 'DELETE /message']) {
      const more = line === 'POST /message' ? { user: 'a' } : {}
      const { status, body } = await backend.send(line, { json: [{ uuid, ...given, ...more }] })
      expect([status, body], line).toEqual([422, complaints])
    }
  })

  it('counts as a message for each channel, and none is sent if there are too many', async () => {
    const [a = ''] = await newRooms(1)
    const ann = await enter('ann', [a])
    const list = (...counts: number[]) =>
      counts.map((count) => ({ user: 'x', channels: [a, ...names(count - 1)], message: {} }))
    const { status, body } = await backend.send('POST /message', { json: list(10, 11) })
    expect([status, body]).toEqual([
      422,
      { _schema: ['More than 20 messages, counted in each channel.'] },
    ])
    await backend.call('POST /message', list(10, 10))
    await backend.say(a, 'last')
    await ann.heard('last')
    expect(ann.of('message')).toHaveLength(3)
  })

  it('needs a signature', async () => {
    const json = [{ user: 'x', channels: ['a'] }]
    expect((await send(site, 'POST /message', { json })).status).toBe(403)
  })
})

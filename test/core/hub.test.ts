import { describe, expect, it } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { RequestError } from '../../src/protocol/errors.ts'
import {
  ChannelConfigRequest,
  ConnectRequest,
  DeletesRequest,
  EditsRequest,
  InfoOptions,
  MessagesRequest,
  UnsubscribeRequest,
  UserStateRequest,
} from '../../src/protocol/requests.ts'
import { channelNames, connIdOf, settingsOf, userName, uuidOf } from '../contract/fixtures.ts'
import { atOnce } from '../helpers/paged-answers.ts'
import { Client, HUB_OPTIONS, ScriptRunner } from './fixtures.ts'

/** Returns the complaints that a call rejects with. */
async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RequestError)
  return (error as RequestError).complaints
}

const unsubscribe = (at: ScriptRunner, connId: string, ...channels: string[]) =>
  at.hub.unsubscribe(UnsubscribeRequest.parse({ conn_id: connId, channels }))

const setState = (at: ScriptRunner, given: object) =>
  at.hub.setUserState(UserStateRequest.parse(given))

const many = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

describe('connect', () => {
  it('answers the connection, the user and the channels', async () => {
    const at = new ScriptRunner()
    const answer = await at.hub.connect({
      username: userName('ann'),
      conn_id: connIdOf(5),
      channels: channelNames('zoo', '\u{1F600}', '\uFFFD', 'abc', 'zoo'),
      state_public_keys: ['mood'],
      fresh_user_state: { mood: 'new', pin: 1 },
      user_state: { mood: 'fine' },
      channel_configs: { zoo: settingsOf({ history_size: 3 }) },
      info: InfoOptions.parse({}),
    })
    expect(answer).toMatchObject({
      conn_id: connIdOf(5),
      username: 'ann',
      state: { mood: 'fine', pin: 1 },
      public_state: { mood: 'fine' },
      channels: ['abc', 'zoo', 'zoo', '\uFFFD', '\u{1F600}'],
    })
    expect(atOnce(answer.channels_info).channels['zoo']).toMatchObject({
      settings: { history_size: 3 },
      users: ['ann'],
    })
    expect(answer.channels_info.users).toEqual([{ user: 'ann', state: { mood: 'fine', pin: 1 } }])
  })

  it('chooses an id if it is given none', async () => {
    const at = new ScriptRunner()
    const ids = [
      await at.connect('ann', [], { conn_id: undefined }),
      await at.connect('ann', [], { conn_id: undefined }),
    ]
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(await at.hub.hasConnection(id)).toBe(true)
  })

  it('refuses the id of another user’s connection', async () => {
    const at = new ScriptRunner()
    const connId = await at.connect('ann')
    expect(await refusalOf(at.connect('bob', [], { conn_id: connId }))).toEqual({
      conn_id: ['Belongs to another user.'],
    })
  })

  it.each([
    ['too many channels', many(6, 'c'), {}, { channels: ['Longer than maximum length 5.'] }],
    [
      'too large a history',
      ['room'],
      { channel_configs: { room: { history_size: 51 } } },
      {
        channel_configs: {
          room: { value: { history_size: ['Must be less than or equal to 50.'] } },
        },
      },
    ],
    [
      'too large a state',
      ['room'],
      { user_state: { text: 'x'.repeat(1000) } },
      { user_state: ['State is larger than 1000 bytes.'] },
    ],
  ])('refuses %s, with nothing half done', async (_, channels, wishes, complaints) => {
    const at = new ScriptRunner()
    expect(await refusalOf(at.connect('ann', channels, wishes))).toEqual(complaints)
    expect(at.store.figures()).toMatchObject({ users: 0, connections: 0, channels: 0 })
  })

  it('tells the others of the first connection of a user, with the public state, and nobody of itself', async () => {
    const at = new ScriptRunner()
    const loud = { channel_configs: { room: { notify_presence: true } } }
    const bob = await at.enter('bob', ['room', 'quiet'], loud)
    const ann = new Client(
      at,
      await at.connect('ann', ['room', 'quiet'], {
        user_state: { a: 1, b: 2 },
        state_public_keys: ['b'],
      }),
    )
    await at.connect('ann', ['room'])
    await at.clock.endTurn()
    expect(bob.sink.take()).toMatchObject([
      {
        type: 'presence',
        user: 'ann',
        channel: 'room',
        state: { b: 2 },
        users: [],
        catchup: false,
      },
    ])
    await ann.open()
    expect(ann.heard()).toEqual([])
  })

  it('lists who is there, the one who joins included, where that is asked for', async () => {
    const at = new ScriptRunner()
    const room = { notify_presence: true, broadcast_presence_with_user_lists: true }
    const bob = await at.enter('bob', ['room'], { channel_configs: { room } })
    const ann = await at.enter('ann', ['room'])
    expect(bob.sink.take()).toMatchObject([
      { users: [{ user: 'bob' }, { user: 'ann' }], users_total: 2 },
    ])
    await ann.lose('left')
    expect(bob.sink.take()).toMatchObject([
      { message: { action: 'parted' }, state: null, users: [{ user: 'bob' }], users_total: 1 },
    ])
  })
})

describe('subscribe and unsubscribe', () => {
  it('answer what changed and what there is now', async () => {
    const at = new ScriptRunner()
    const connId = await at.connect('ann', ['b', 'x'])
    const joined = await at.subscribe(connId, 'c', 'a', 'b')
    expect(joined).toMatchObject({ channels: ['a', 'b', 'c', 'x'], subscribed_to: ['a', 'c'] })
    expect(Object.keys(joined.channels_info.channels).sort()).toEqual(['a', 'b', 'c', 'x'])
    const left = await unsubscribe(at, connId, 'x', 'nope', 'a', 'x')
    expect(left).toMatchObject({ channels: ['b', 'c'], unsubscribed_from: ['a', 'x'] })
    expect(Object.keys(left.channels_info.channels).sort()).toEqual(['b', 'c'])
  })

  it('refuse a connection that nobody knows', async () => {
    const at = new ScriptRunner()
    const complaints = { conn_id: ['Unknown connection'] }
    expect(await refusalOf(at.subscribe(connIdOf(9), 'room'))).toEqual(complaints)
    expect(await refusalOf(unsubscribe(at, connIdOf(9), 'room'))).toEqual(complaints)
    expect(at.store.figures()).toMatchObject({ channels: 0 })
  })

  it('refuse more channels than one request may name', async () => {
    const at = new ScriptRunner()
    const connId = await at.connect('ann')
    const complaints = { channels: ['Longer than maximum length 5.'] }
    expect(await refusalOf(at.subscribe(connId, ...many(6, 'c')))).toEqual(complaints)
    expect(await refusalOf(unsubscribe(at, connId, ...many(6, 'c')))).toEqual(complaints)
  })

  it('tell the others, once', async () => {
    const at = new ScriptRunner()
    const loud = { channel_configs: { room: { notify_presence: true } } }
    const bob = await at.enter('bob', ['room'], loud)
    const ann = await at.enter('ann')
    await at.subscribe(ann.connId, 'room')
    await at.subscribe(ann.connId, 'room')
    await unsubscribe(at, ann.connId, 'room')
    await unsubscribe(at, ann.connId, 'room')
    await at.clock.endTurn()
    expect(bob.heard()).toEqual(['ann joined', 'ann parted'])
  })

  it('show the user only the history that the user may see', async () => {
    const at = new ScriptRunner()
    await at.connect('bob', ['room'], { channel_configs: { room: { store_history: true } } })
    await at.say('room', 'to bob', { pm_users: ['bob'] })
    await at.say('room', 'to all')
    const { channels_info } = await at.subscribe(await at.connect('ann'), 'room')
    expect(atOnce(channels_info).channels['room']?.history.map((item) => item.message)).toEqual([
      { text: 'to all' },
    ])
    const answer = await at.hub.connect(
      ConnectRequest.parse({ username: 'ann', channels: ['room'] }),
    )
    expect(
      atOnce(answer.channels_info).channels['room']?.history.map((item) => item.message),
    ).toEqual([{ text: 'to all' }])
    const info = atOnce(await at.hub.info(InfoOptions.parse({})))
    expect(info.channels['room']?.history).toHaveLength(2)
  })
})

describe('disconnect', () => {
  it('answers whether there was such a connection, and tells the others', async () => {
    const at = new ScriptRunner()
    const loud = { channel_configs: { room: { notify_presence: true } } }
    const bob = await at.enter('bob', ['room'], loud)
    const connId = await at.connect('ann', ['room', 'quiet'])
    expect(await at.hub.disconnect(connId)).toBe(true)
    expect(await at.hub.disconnect(connId)).toBe(false)
    expect(await at.hub.hasConnection(connId)).toBe(false)
    await at.clock.endTurn()
    expect(bob.heard()).toEqual(['ann joined', 'ann parted'])
    expect(await at.hub.hasUser(userName('ann'))).toBe(true)
  })
})

describe('channel settings', () => {
  it('are taken whole, and answered without members and history', async () => {
    const at = new ScriptRunner()
    await at.connect('ann', ['room'], { channel_configs: { room: { store_history: true } } })
    await at.say('room', 'a')
    const given = { room: { notify_state: true, store_history: true }, made: {} }
    const { channels, users } = atOnce(
      await at.hub.configureChannels(ChannelConfigRequest.parse(given)),
    )
    expect(users).toEqual([])
    expect(channels['made']).toMatchObject({ settings: settingsOf() })
    expect(channels['room']).toMatchObject({
      settings: settingsOf(given.room),
      history: [],
      users: [],
      total_connections: 1,
    })
  })

  it('are refused if a history would be too large, or too many channels are named', async () => {
    const at = new ScriptRunner()
    const large = ChannelConfigRequest.parse({ fits: {}, room: { history_size: 51 } })
    expect(await refusalOf(at.hub.configureChannels(large))).toEqual({
      history_size: ['Must be less than or equal to 50.'],
    })
    const wide = ChannelConfigRequest.parse(
      Object.fromEntries(many(6, 'c').map((name) => [name, {}])),
    )
    expect(await refusalOf(at.hub.configureChannels(wide))).toEqual({
      _schema: ['Longer than maximum length 5.'],
    })
    expect(at.store.figures()).toMatchObject({ channels: 0 })
  })
})

describe('user state', () => {
  it('is answered, and told in channels that want to know, to the user as well', async () => {
    const at = new ScriptRunner()
    const configs = { channel_configs: { room: { notify_state: true } } }
    const bob = await at.enter('bob', ['room'], configs)
    const ann = await at.enter('ann', ['room', 'quiet'])
    const answer = await setState(at, {
      user: 'ann',
      user_state: { mood: 'fine', pin: 1 },
      state_public_keys: ['mood'],
    })
    expect(answer).toEqual({
      user_state: { mood: 'fine', pin: 1 },
      changed_state: [
        { key: 'mood', value: 'fine' },
        { key: 'pin', value: 1 },
      ],
      public_keys: ['mood'],
    })
    await at.clock.endTurn()
    for (const client of [ann, bob]) {
      expect(client.sink.take()).toMatchObject([
        {
          type: 'user_state_change',
          user: 'ann',
          channel: 'room',
          message: { state: { mood: 'fine' }, changed: [{ key: 'mood', value: 'fine' }] },
        },
      ])
    }
    await setState(at, { user: 'ann', user_state: { mood: 'fine' } })
    await at.clock.endTurn()
    expect(bob.heard()).toEqual([])
  })

  it('is refused for a user that nobody knows, or if it gets too large', async () => {
    const at = new ScriptRunner()
    expect(await refusalOf(setState(at, { user: 'ann' }))).toEqual({ user: ['Unknown user'] })
    await at.connect('ann')
    const large = { user: 'ann', user_state: { text: 'x'.repeat(1000) } }
    expect(await refusalOf(setState(at, large))).toEqual({
      user_state: ['State is larger than 1000 bytes.'],
    })
  })
})

describe('messages', () => {
  it('reach everyone in the channel in one write a turn, in the order of the request', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'])
    await at.saySoon('room', ['a', 'b', 'c'])
    expect(ann.sink.writes).toEqual([3])
    expect(ann.heard()).toEqual(['a', 'b', 'c'])
  })

  it('are answered without those that have no target', async () => {
    const at = new ScriptRunner()
    const given = [{ user: 'ann' }, { user: 'bob', channel: 'nowhere' }]
    const answer = await at.hub.postMessages(MessagesRequest.parse(given))
    expect(answer.map(({ user }) => user)).toEqual(['bob'])
    expect(await at.hub.postMessages([])).toEqual([])
  })

  it('are refused when there are too many in one request, edits and deletes as well', async () => {
    const at = new ScriptRunner()
    const complaints = { _schema: ['Longer than maximum length 20.'] }
    const list = Array.from({ length: 21 }, () => ({
      user: 'ann',
      channel: 'room',
      uuid: uuidOf(1),
    }))
    const uuids = list.map(({ uuid }) => ({ uuid, channel: 'room' }))
    const { hub } = at
    expect(await refusalOf(hub.postMessages(MessagesRequest.parse(list)))).toEqual(complaints)
    expect(await refusalOf(hub.editMessages(EditsRequest.parse(uuids)))).toEqual(complaints)
    expect(await refusalOf(hub.deleteMessages(DeletesRequest.parse(uuids)))).toEqual(complaints)
    expect(at.store.figures()).toMatchObject({ messages: 0 })
  })

  it('are changed and taken back for those who are there and those who come later', async () => {
    const at = new ScriptRunner()
    const configs = { channel_configs: { room: { store_history: true } } }
    const ann = await at.enter('ann', ['room'], configs)
    await at.say('room', 'a', { uuid: uuidOf(1) })
    await at.say('room', 'b', { uuid: uuidOf(2) })
    const change = { uuid: uuidOf(1), channel: 'room', message: { text: 'A' }, mood: 'new' }
    const [edited] = await at.hub.editMessages(EditsRequest.parse([change]))
    expect(edited).toMatchObject({ ...change, edited: '2030-01-01T00:00:00.000000' })
    await at.hub.deleteMessages(DeletesRequest.parse([{ uuid: uuidOf(2), channel: 'room' }]))
    await at.clock.endTurn()
    const [, , editEvent, deleteEvent] = ann.sink.take()
    expect(editEvent).toMatchObject({ type: 'message:edit', uuid: uuidOf(1), mood: 'new' })
    expect(deleteEvent).toMatchObject({ type: 'message:delete', uuid: uuidOf(2), channel: 'room' })
    const { channels } = atOnce(await at.hub.info(InfoOptions.parse({})))
    expect(channels['room']?.history).toMatchObject([
      { uuid: uuidOf(1), message: { text: 'A' }, edited: '2030-01-01T00:00:00.000000' },
    ])
  })

  it('reach all connections of the users that they are for, in no channel, once', async () => {
    const at = new ScriptRunner()
    const ann = await at.enter('ann', ['room'])
    const second = await at.enter('ann')
    const bob = await at.enter('bob', ['room'])
    await at.saySoon(null, 'psst', { pm_users: ['ann', 'ann', 'bob'], exclude_users: ['bob'] })
    expect([ann, second, bob].map((client) => client.heard())).toEqual([['psst'], ['psst'], []])
  })

  it('do not reach who was excluded, or is not meant, not even late', async () => {
    const at = new ScriptRunner()
    const bob = await at.enter('bob', ['room'])
    const cem = await at.enter('cem', ['room'])
    await bob.lose('broke-off')
    await at.say('room', 'not bob', { exclude_users: ['bob'] })
    await at.say('room', 'cem only', { pm_users: ['cem'] })
    await at.say('room', 'all')
    await bob.open()
    await at.clock.endTurn()
    expect(bob.heard()).toEqual(['all (late)'])
    expect(cem.heard()).toEqual(['not bob', 'cem only', 'all'])
  })

  it('have ids that grow, the same for everyone', async () => {
    const at = new ScriptRunner()
    const [ann, bob] = [await at.enter('ann', ['room']), await at.enter('bob', ['room'])]
    await at.saySoon('room', ['a', 'b'])
    const ids = ann.sink.take().map(({ id }) => id)
    expect(bob.sink.take().map(({ id }) => id)).toEqual(ids)
    const numbers = ids.map((id) => Number(id.split('-')[1]))
    expect(numbers[1]).toBe((numbers[0] ?? 0) + 1)
  })
})

describe('the overview for administrators', () => {
  it('shows figures, channels with their history, and connected users with public state', async () => {
    const at = new ScriptRunner()
    await at.connect('gone')
    await at.hub.disconnect(connIdOf(1))
    const connId = await at.connect('ann', ['room'], {
      user_state: { mood: 'fine', pin: 1 },
      state_public_keys: ['mood'],
      channel_configs: { room: { store_history: true } },
    })
    await at.say('room', 'a')
    await at.clock.advance(10_000)
    expect(await at.hub.adminOverview()).toMatchObject({
      remembered_user_count: 2,
      unique_user_count: 1,
      total_connections: 1,
      total_channels: 1,
      total_messages: 1,
      total_unique_messages: 1,
      channels: { room: { history: [{ message: { text: 'a' } }], users: ['ann'] } },
      users: [{ user: 'ann', state: { mood: 'fine' }, connections: [connId] }],
      uptime: '0:00:10',
    })
  })
})

describe('the sweep', () => {
  it('ends connections that nobody came for, and tells the others, once', async () => {
    const at = new ScriptRunner()
    const loud = { channel_configs: { room: { notify_presence: true } } }
    const bob = await at.enter('bob', ['room'], loud)
    await at.connect('ann', ['room'])
    for (let waited = 0; waited < HUB_OPTIONS.gcConnsMs + 2000; waited += 1000) {
      if (bob.connection) at.hub.sessions.seen(bob.connection)
      await at.clock.advance(1000)
    }
    expect(bob.heard()).toEqual(['ann joined', 'ann parted'])
    expect(at.store.figures()).toMatchObject({ connections: 1, connectedUsers: 1 })
  })

  it('forgets channels and users that nobody needs', async () => {
    const at = new ScriptRunner({ gcUsersMs: 40_000, gcChannelsMs: 20_000 })
    await at.connect('ann', ['room'])
    await at.clock.advance(HUB_OPTIONS.gcConnsMs + 1000 + 42_000)
    expect(at.store.figures()).toMatchObject({ users: 0, channels: 0, connections: 0 })
    expect(at.faults).toEqual([])
  })

  it('tells what went wrong, and comes again', async () => {
    const at = new ScriptRunner()
    const sweep = at.store.sweep.bind(at.store)
    at.store.sweep = () => {
      throw new Error('no connection to the store')
    }
    const connId = await at.connect('ann')
    await at.clock.advance(HUB_OPTIONS.gcConnsMs + 1000)
    expect(at.faults.length).toBeGreaterThan(10)
    at.store.sweep = sweep
    await at.clock.advance(1000)
    expect(await at.hub.hasConnection(connId)).toBe(false)
  })
})

describe('stopping', () => {
  it('closes every sink with a code that asks to come back, and leaves no timer', async () => {
    const at = new ScriptRunner()
    const [ann, bob] = [await at.enter('ann', ['room']), await at.enter('bob', ['room'])]
    const poll = new Client(at, await at.connect('cem'))
    await poll.open('poll')
    await at.hub.stop()
    for (const { sink } of [ann, bob, poll]) expect(sink.closed).toEqual(CLOSE.stopping)
    expect(at.hub.openConnections).toBe(0)
    expect(at.clock.pending).toBe(0)
    expect(at.faults).toEqual([])
  })

  it('starts what is done regularly once, however often it is started', () => {
    const at = new ScriptRunner()
    const { pending } = at.clock
    at.hub.start()
    expect(at.clock.pending).toBe(pending)
  })
})

import { describe, expect, it } from 'vitest'
import { describeChannels } from '../../../src/core/queries/channels-info.ts'
import { MemoryStore } from '../../../src/store/memory/store.ts'
import {
  channelName,
  channelNames,
  connect,
  edit,
  message,
  settingsMap,
  settingsOf,
  userName,
  uuidOf,
} from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import { asWritten, atOnce, neverYield } from '../../helpers/paged-answers.ts'
import { STORE_OPTIONS } from '../fixtures.ts'
import type { DescribeOptions } from '../../../src/core/queries/channels-info.ts'
import type { Yielder } from '../../../src/lib/yielder.ts'
import type { ChannelsInfo } from '../../../src/protocol/responses.ts'
import type { Store } from '../../../src/store/store.ts'

const OPTIONS: DescribeOptions = {
  include_history: true,
  include_users: true,
  exclude_channels: [],
  return_public_state: false,
  counts: false,
}

async function open() {
  const store: Store = new MemoryStore(new ManualClock(), STORE_OPTIONS)
  const configs = { room: { store_history: true } }
  await connect(store, 'bob', {
    id: 1,
    channels: ['room', 'other'],
    configs,
    state: { mood: 'fine', pin: 1 },
    publicKeys: ['mood'],
  })
  await connect(store, 'Ann', { id: 2, channels: ['room'] })
  await connect(store, 'Ann', { id: 3, channels: ['room'] })
  const told = (
    options: Partial<DescribeOptions> = {},
    names?: readonly string[],
    viewer?: string,
  ): Promise<ChannelsInfo> =>
    describeChannels(
      { store, maybeYield: neverYield },
      names?.map(channelName),
      { ...OPTIONS, ...options },
      viewer === undefined ? undefined : userName(viewer),
    ).then(atOnce)
  return { store, told }
}

const historyOf = ({ channels }: ChannelsInfo) => channels['room']?.history ?? []

describe('a description of channels', () => {
  it('shows each channel with its members, sorted, and every user once', async () => {
    const { told } = await open()
    const { channels, users } = await told()
    expect(Object.keys(channels).sort()).toEqual(['other', 'room'])
    expect(channels['room']).toEqual({
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      name: 'room',
      long_name: null,
      settings: settingsOf({ store_history: true }),
      history: [],
      last_active: '2030-01-01T00:00:00.000000',
      total_connections: 3,
      total_users: 2,
      users: ['Ann', 'bob'],
    })
    expect([...users].sort((one, other) => (one.user < other.user ? -1 : 1))).toEqual([
      { user: 'Ann', state: {} },
      { user: 'bob', state: { mood: 'fine', pin: 1 } },
    ])
  })

  it('shows the public part of states, if that is asked for', async () => {
    const { told } = await open()
    const { users } = await told({ return_public_state: true })
    expect(users).toContainEqual({ user: 'bob', state: { mood: 'fine' } })
  })

  it('shows the channels that are named, but not those that are excluded', async () => {
    const { told } = await open()
    expect(Object.keys((await told({}, ['room', 'unknown'])).channels)).toEqual(['room'])
    const excluding = { exclude_channels: channelNames('room') }
    expect(Object.keys((await told(excluding)).channels)).toEqual(['other'])
    expect(Object.keys((await told(excluding, ['room', 'other'])).channels)).toEqual(['other'])
    expect((await told({}, [])).channels).toEqual({})
  })

  it('shows only users of the channels that are shown', async () => {
    const { told } = await open()
    expect((await told({}, ['other'])).users.map(({ user }) => user)).toEqual(['bob'])
  })

  it('leaves out users, or the history, if they are not wanted', async () => {
    const { store, told } = await open()
    await store.publish([message('room')])
    const bare = await told({ include_users: false, include_history: false })
    expect(bare.users).toEqual([])
    expect(bare.channels['room']).toMatchObject({
      users: [],
      total_users: 0,
      total_connections: 3,
      history: [],
    })
  })

  it('counts the users without listing them, if that is asked for', async () => {
    const { told } = await open()
    const counted = await told({ include_users: false, counts: true })
    expect(counted.users).toEqual([])
    expect(counted.channels['room']).toMatchObject({
      users: [],
      total_users: 2,
      total_connections: 3,
    })
    expect((await told({ counts: true })).channels['room']).toMatchObject({
      users: ['Ann', 'bob'],
      total_users: 2,
    })
  })

  it('shows a channel that is called like what every object has', async () => {
    const { store, told } = await open()
    await store.configure(settingsMap({ constructor: {} }))
    await store.configure(new Map([[channelName('__proto__'), settingsOf()]]))
    const { channels } = await told()
    expect(Object.keys(channels)).toContain('__proto__')
    expect(JSON.parse(JSON.stringify(channels['__proto__']))).toMatchObject({ name: '__proto__' })
    expect(JSON.stringify(channels)).toContain('"__proto__":{')
    expect('toString' in channels).toBe(false)
  })
})

describe('the history in a description', () => {
  const publications = [
    message('room', { text: 'to all' }),
    message('room', { text: 'to bob and ann', pmUsers: ['bob', 'Ann'] }),
    message('room', { text: 'not to bob', excludeUsers: ['bob'] }),
    message('room', { text: 'to ann', pmUsers: ['Ann'] }),
    message('room', { text: 'to nobody', pmUsers: ['bob'], excludeUsers: ['bob'] }),
  ]

  it('is for the backend whole, with how each message was delivered', async () => {
    const { store, told } = await open()
    await store.publish(publications)
    const history = historyOf(await told())
    expect(history.map(({ pm_users, exclude_users }) => [pm_users, exclude_users])).toEqual([
      [[], []],
      [['bob', 'Ann'], []],
      [[], ['bob']],
      [['Ann'], []],
      [['bob'], ['bob']],
    ])
  })

  it('leaves out what the viewer may not see, and who else may', async () => {
    const { store, told } = await open()
    await store.publish(publications)
    const history = historyOf(await told({}, ['room'], 'bob'))
    expect(history.map((item) => [item.message, item.pm_users, item.exclude_users])).toEqual([
      [{ text: 'to all' }, [], []],
      [{ text: 'to bob and ann' }, ['bob'], []],
    ])
    const hers = historyOf(await told({}, ['room'], 'Ann'))
    expect(hers.map((item) => (item.message as { text: string }).text)).toEqual([
      'to all',
      'to bob and ann',
      'not to bob',
      'to ann',
    ])
    expect(hers.flatMap((item) => [...item.pm_users, ...item.exclude_users])).toEqual([
      'Ann',
      'Ann',
    ])
  })

  it('hides an edited message from the same people', async () => {
    const { store, told } = await open()
    await store.publish([
      message('room', { uuid: uuidOf(1), text: 'to ann', pmUsers: ['Ann'] }),
      edit('room', { uuid: uuidOf(1), text: 'still to ann' }),
    ])
    expect(historyOf(await told({}, ['room'], 'bob'))).toEqual([])
    expect(historyOf(await told({}, ['room'], 'Ann'))).toHaveLength(1)
  })

  it('shows a message as it was answered, with id and date', async () => {
    const { store, told } = await open()
    const more = { timestamp: '2030-01-01T00:00:00+00:00', id: 'forged', date: 'forged' }
    await store.publish([message('room', { text: 'hello', more })])
    const { head } = await store.missed([])
    expect(historyOf(await told())).toEqual([
      {
        type: 'message',
        id: `${store.epoch}-${head}`,
        uuid: uuidOf(999),
        timestamp: more.timestamp,
        date: more.timestamp,
        user: 'somebody',
        channel: 'room',
        message: { text: 'hello' },
        edited: null,
        pm_users: [],
        exclude_users: [],
        no_history: false,
        catchup: false,
      },
    ])
  })
})

describe('a description that is long', () => {
  /** 150 channels with two users each, and one with all users and many messages. */
  async function crowded() {
    const store: Store = new MemoryStore(new ManualClock(), STORE_OPTIONS)
    const configs = { all: { store_history: true, history_size: 500 } }
    for (let id = 1; id <= 2_500; id++) {
      const channels = ['all', `room ${id % 150}`]
      await connect(store, `user ${id}`, { id, channels, configs, state: { id } })
    }
    const say = (n: number) =>
      message('all', { text: `text ${n}`, ...(n % 2 === 0 && { pmUsers: ['user 7'] }) })
    await store.publish(Array.from({ length: 400 }, (_, n) => say(n)))
    const describe = (
      maybeYield: Yielder,
      ...rest: Parameters<typeof describeChannels> extends [unknown, ...infer Rest] ? Rest : never
    ) => describeChannels({ store, maybeYield }, ...rest)
    return { store, describe }
  }

  it('says what a short one says of each channel', async () => {
    const { describe } = await crowded()
    const whole = (await asWritten(await describe(neverYield, undefined, OPTIONS))) as ChannelsInfo
    expect(Object.keys(whole.channels)).toHaveLength(151)
    expect(whole.users).toHaveLength(2_500)
    expect(new Set(whole.users.map(({ user }) => user)).size).toBe(2_500)
    const rooms = await describe(neverYield, channelNames('room 3', 'room 4'), OPTIONS)
    const { 'room 3': third, 'room 4': fourth } = whole.channels
    expect(await asWritten(rooms)).toMatchObject({
      channels: { 'room 3': third, 'room 4': fourth },
    })
    expect(third?.users).toHaveLength(17)
    const all = whole.channels['all']
    expect(all?.users).toEqual([...(all?.users ?? [])].sort())
    expect(all).toMatchObject({ total_users: 2_500, total_connections: 2_500 })
    expect(all?.history.map((item) => item.message)).toEqual(
      Array.from({ length: 400 }, (_, n) => ({ text: `text ${n}` })),
    )
    expect(Object.keys(all ?? {})).toEqual(Object.keys(third ?? {}))
  })

  it('counts the users without listing them, if that is asked for', async () => {
    const { describe } = await crowded()
    const options = { ...OPTIONS, include_users: false, counts: true }
    const told = (await asWritten(await describe(neverYield, undefined, options))) as ChannelsInfo
    expect(told.users).toEqual([])
    expect(told.channels['all']).toMatchObject({ users: [], total_users: 2_500 })
    expect(told.channels['room 3']).toMatchObject({ users: [], total_users: 17 })
  })

  it('shows a user only what the user may see', async () => {
    const { describe } = await crowded()
    const seen = async (viewer: string) => {
      const answer = await describe(neverYield, channelNames('all'), OPTIONS, userName(viewer))
      return ((await asWritten(answer)) as ChannelsInfo).channels['all']?.history ?? []
    }
    expect(await seen('user 7')).toHaveLength(400)
    const others = await seen('user 8')
    expect(others).toHaveLength(200)
    expect(others.flatMap((item) => item.pm_users)).toEqual([])
  })

  it('shows each channel once, however often it was asked for', async () => {
    const { describe } = await crowded()
    const names = Array.from({ length: 150 }, () => channelName('room 3'))
    const { channels } = await describe(neverYield, names, OPTIONS)
    expect(Object.keys(channels)).toEqual(['room 3'])
  })

  it('leaves out what was excluded, and what is gone when its page is read', async () => {
    const { store, describe } = await crowded()
    const options = { ...OPTIONS, exclude_channels: channelNames('all', 'room 1') }
    const answer = await describe(neverYield, undefined, options)
    const channelsOf = store.channels.bind(store)
    store.channels = (names, include) =>
      channelsOf(
        names.filter((name) => name !== 'room 2'),
        include,
      )
    const { channels } = (await asWritten(answer)) as ChannelsInfo
    expect(Object.keys(channels)).toHaveLength(148)
  })

  it('is made with breaths in between', async () => {
    const { describe } = await crowded()
    let breaths = 0
    const maybeYield = () => Promise.resolve(void breaths++)
    await asWritten(await describe(maybeYield, undefined, OPTIONS), maybeYield)
    expect(breaths).toBeGreaterThan(200)
  })
})

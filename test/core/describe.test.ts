import { describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { STORE_OPTIONS } from './fixtures.ts'
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
} from '../contract/fixtures.ts'
import { describeChannels } from '../../src/core/describe.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { Described } from '../../src/core/describe.ts'
import type { Store } from '../../src/store/store.ts'

const OPTIONS: Described = {
  include_history: true,
  include_users: true,
  exclude_channels: [],
  return_public_state: false,
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
    options: Partial<Described> = {},
    names?: readonly string[],
    viewer?: string,
  ): Promise<ChannelsInfo> =>
    describeChannels(
      store,
      names?.map(channelName),
      { ...OPTIONS, ...options },
      viewer === undefined ? undefined : userName(viewer),
    )
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

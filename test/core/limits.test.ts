import { describe, expect, it } from 'vitest'
import {
  Bounds,
  checkCounts,
  checkList,
  checkMessages,
  checkPublicKeys,
  checkSettings,
  stateTooLarge,
} from '../../src/core/limits.ts'
import { RequestError } from '../../src/protocol/errors.ts'
import { settingsOf } from '../contract/fixtures.ts'

const LIMITS = {
  maxMessagesPerRequest: 3,
  maxUsersPerMessage: 2,
  maxChannelsPerRequest: 3,
  maxChannelsPerMessage: 2,
  maxCountsPerRequest: 4,
  maxHistorySize: 50,
  maxStateBytes: 100,
}

/** Returns the complaints that a check throws, or undefined if it passes. */
function complaintsOf(check: () => void): unknown {
  try {
    check()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    expect(error).toMatchObject({ code: 'INVALID' })
    return (error as RequestError).complaints
  }
}

describe('limits of a request', () => {
  it('let a list be as long as the limit, and no longer', () => {
    expect(complaintsOf(() => checkList([1, 2, 3], 3))).toBeUndefined()
    expect(complaintsOf(() => checkList([1, 2, 3, 4], 3))).toEqual({
      _schema: ['Longer than maximum length 3.'],
    })
  })

  it('name the field of the list', () => {
    expect(complaintsOf(() => checkList([1], 0, 'channels'))).toEqual({
      channels: ['Longer than maximum length 0.'],
    })
  })

  it('let a history be as large as the limit, and no larger', () => {
    const configs = { fits: settingsOf({ history_size: 50 }) }
    expect(complaintsOf(() => checkSettings(configs, LIMITS, () => []))).toBeUndefined()
  })

  it('name every channel whose history is too large, where the request has it', () => {
    const configs = {
      one: settingsOf({ history_size: 51 }),
      fits: settingsOf({ history_size: 0 }),
      two: settingsOf({ history_size: 9999 }),
    }
    const told = { history_size: ['Must be less than or equal to 50.'] }
    expect(
      complaintsOf(() => checkSettings(configs, LIMITS, (name) => ['configs', name, 'value'])),
    ).toEqual({ configs: { one: { value: told }, two: { value: told } } })
  })

  it('tell how large a state may be', () => {
    expect(stateTooLarge(LIMITS).complaints).toEqual({
      user_state: ['State is larger than 100 bytes.'],
    })
  })
})

describe('channels of messages', () => {
  const to = (...channels: string[]) => ({ channel: null, channels })
  const one = { channel: 'room' }

  it('count as a message each', () => {
    const more = { _schema: ['More than 3 messages, counted in each channel.'] }
    for (const fits of [[one, one, one], [to('a', 'b', 'c')], [one, to('a', 'a')], []])
      expect(complaintsOf(() => checkMessages(fits, LIMITS))).toBeUndefined()
    for (const list of [
      [one, to('a', 'b', 'c')],
      [to('a', 'b'), to('a', 'b')],
    ])
      expect(complaintsOf(() => checkMessages(list, LIMITS))).toEqual(more)
    expect(complaintsOf(() => checkMessages([one, one, one, one], LIMITS))).toEqual({
      _schema: ['Longer than maximum length 3.'],
    })
  })

  it('are not too many together with the users who are looked up in each', () => {
    const limits = { ...LIMITS, maxMessagesPerRequest: 200 }
    const list = (users: number) => [
      { ...to(...Array.from({ length: 90 }, () => 'a')), pm_users: Array(500).fill('u') },
      { ...to(...Array.from({ length: 100 }, () => 'a')), exclude_users: Array(users).fill('u') },
      { ...one, exclude_users: Array(1_000_000).fill('u') },
    ]
    expect(complaintsOf(() => checkMessages(list(550), limits))).toBeUndefined()
    expect(complaintsOf(() => checkMessages(list(551), limits))).toEqual({
      _schema: ['More than 100000 users, counted in each channel.'],
    })
  })

  it('are not too many together with the length of the message, which each keeps', () => {
    const limits = { ...LIMITS, maxMessagesPerRequest: 200 }
    const channels = Array.from({ length: 100 }, () => 'a')
    const list = (length: number) => [
      { channel: null, channels, message: 'x'.repeat(length) },
      { channel: 'room', message: 'x'.repeat(1_000_000) },
    ]
    expect(complaintsOf(() => checkMessages(list(41_000), limits))).toBeUndefined()
    expect(complaintsOf(() => checkMessages(list(42_000), limits))).toEqual({
      _schema: ['More than 4194304 characters, counted in each channel.'],
    })
  })

  it('are not beside a channel', () => {
    const both = { channel: 'room', channels: ['other'] }
    expect(complaintsOf(() => checkMessages([one, both], LIMITS))).toEqual({
      1: { channels: ['Not together with channel.'] },
    })
  })
})

describe('counts', () => {
  const names = (count: number) => Array.from({ length: count }, () => 'name') as never[]

  it('are of so many channels and so many users, and no more', () => {
    const longer = ['Longer than maximum length 4.']
    const refusal = (request: Parameters<typeof checkCounts>[0]) =>
      complaintsOf(() => checkCounts(request, LIMITS))
    expect(refusal({ counts: true, channels: names(4), users: names(4) })).toBeUndefined()
    expect(refusal({ counts: true })).toBeUndefined()
    expect(refusal({ counts: true, channels: names(5) })).toEqual({ channels: longer })
    expect(refusal({ counts: false, users: names(5) })).toEqual({ users: longer })
  })

  it('are of channels only if they are asked for', () => {
    expect(complaintsOf(() => checkCounts({ counts: false, channels: [] }, LIMITS))).toEqual({
      channels: ['Only together with counts.'],
    })
  })
})

describe('public keys', () => {
  it('may be as large as a state in JSON, and no larger', () => {
    const keys = ['x'.repeat(45), 'é'.repeat(24)] // with brackets, quotes and a comma: 100 bytes
    expect(complaintsOf(() => checkPublicKeys(keys, LIMITS))).toBeUndefined()
    expect(complaintsOf(() => checkPublicKeys([...keys.slice(1), 'x'.repeat(46)], LIMITS))).toEqual(
      {
        state_public_keys: ['List is larger than 100 bytes.'],
      },
    )
    expect(complaintsOf(() => checkPublicKeys([], { ...LIMITS, maxStateBytes: 1 }))).toBeUndefined()
  })
})

describe('bounds of bodies that nobody has looked into', () => {
  const bounds = new Bounds(LIMITS)
  const list = (length: number): unknown[] => Array.from({ length }, () => ({ odd: NaN }))
  const map = (length: number): object => ({ ...list(length) })
  const longer = (max: number) => [`Longer than maximum length ${max}.`]

  it.each([
    [{ channels: list(4) }, { channels: longer(3) }],
    [{ channel_configs: map(4) }, { channel_configs: longer(3) }],
    [{ info: { channels: list(4) } }, { info: { channels: longer(3) } }],
    [{ info: { exclude_channels: list(4) } }, { info: { exclude_channels: longer(3) } }],
    [{ user_state: map(26) }, stateTooLarge(LIMITS).complaints],
    [{ fresh_user_state: map(26) }, stateTooLarge(LIMITS).complaints],
    [{ state_public_keys: list(26) }, { state_public_keys: ['List is larger than 100 bytes.'] }],
  ])('of a request that names channels: %j', (body, complaints) => {
    expect(complaintsOf(() => bounds.channels(body))).toEqual(complaints)
  })

  it('of a request for information, in both forms', () => {
    const complaints = { info: { channels: longer(3) } }
    expect(complaintsOf(() => bounds.info({ channels: list(4) }))).toEqual(complaints)
    expect(complaintsOf(() => bounds.info({ info: { channels: list(4) } }))).toEqual(complaints)
  })

  it('of a request for counts', () => {
    for (const key of ['channels', 'users']) {
      const body = { counts: true, users: [], [key]: list(5) }
      expect(complaintsOf(() => bounds.info(body))).toEqual({ [key]: longer(4) })
      expect(complaintsOf(() => bounds.info({ ...body, [key]: list(4) }))).toBeUndefined()
    }
    const described = { channels: list(4), counts: false }
    expect(complaintsOf(() => bounds.info(described))).toEqual({ info: { channels: longer(3) } })
  })

  it('of a map of settings', () => {
    expect(complaintsOf(() => bounds.settings(map(4)))).toEqual({ _schema: longer(3) })
  })

  it.each([
    [list(4), { _schema: longer(3) }],
    [[{}, { pm_users: list(3) }], { 1: { pm_users: longer(2) } }],
    [[{ exclude_users: list(3) }], { 0: { exclude_users: longer(2) } }],
    [[{}, {}, map(1_001)], { 2: { _schema: longer(1_000) } }],
    [[{}, { channels: list(3) }], { _schema: ['More than 3 messages, counted in each channel.'] }],
    [[{ channels: list(3) }], { 0: { channels: longer(2) } }],
  ])('of messages', (body, complaints) => {
    expect(complaintsOf(() => bounds.messages(body))).toEqual(complaints)
  })

  it('let everything else be, of whatever type it is', () => {
    const fits = {
      ...{ channels: list(3), channel_configs: map(3), user_state: map(25), fresh_user_state: 7 },
      ...{ info: { channels: list(3), exclude_channels: 'no list' }, state_public_keys: list(25) },
    }
    const messages = [{ pm_users: list(2), exclude_users: 7 }, null, map(1_000)]
    for (const body of [fits, { info: null }, [], list(3), 7, 'text', null, undefined, messages])
      for (const bound of [bounds.channels, bounds.info, bounds.user, bounds.messages])
        expect(complaintsOf(() => bound(body))).toBeUndefined()
    for (const body of [map(3), list(9), 7, null])
      expect(complaintsOf(() => bounds.settings(body))).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { NO_USER_LIMITS } from '../../src/core/user-limits.ts'
import { RequestError } from '../../src/protocol/errors.ts'
import { SubscribeRequest } from '../../src/protocol/requests.ts'
import { channelName, userName, userNames } from '../contract/fixtures.ts'
import { ScriptRunner } from './fixtures.ts'
import type { UserLimitRules } from '../../src/core/user-limits.ts'

const DELIVERY = {
  channel: channelName('room'),
  pm_users: [],
  exclude_users: [],
  no_history: false,
}
const messageOf = (user: string) => ({ ...DELIVERY, user: userName(user), message: {} })

/** A hub with these limits, and what it reports. */
function begin(rules: Partial<UserLimitRules>) {
  const reported: string[] = []
  const at = new ScriptRunner({
    userLimits: {
      ...NO_USER_LIMITS,
      lostAfterMs: 15_000,
      onRefused: (limit, user) => void reported.push(`${user}: ${limit}`),
      ...rules,
    },
  })
  return { at, reported }
}

/** Returns the error of a refusal, in short. */
async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof RequestError)) throw new Error('it was not refused', { cause: error })
  const { code, complaints, retryAfterSeconds } = error
  return { code, complaints, retryAfterSeconds }
}

describe('the limit on connections', () => {
  it('names the user, and says when lost connections have ended', async () => {
    const { at, reported } = begin({ maxConnections: 1 })
    await at.connect('ann')
    expect(await refusalOf(at.connect('ann'))).toEqual({
      code: 'TOO_MANY_CONNECTIONS',
      complaints: { username: ['A user may have 1 connection.'] },
      retryAfterSeconds: 15,
    })
    expect(reported).toEqual(['ann: connections'])
    await at.connect('bob')
  })

  it('does not apply to unlimited users', async () => {
    const { at, reported } = begin({ maxConnections: 1, unlimited: userNames('ann') })
    for (let n = 0; n < 3; n++) await at.connect('ann')
    expect(reported).toEqual([])
  })
})

describe('the limit on channels', () => {
  it('names the channels, of /connect and of /subscribe', async () => {
    const { at, reported } = begin({ maxChannels: 2 })
    const refusal = {
      code: 'TOO_MANY_CHANNELS',
      complaints: { channels: ['A user may be in 2 channels.'] },
      retryAfterSeconds: 15,
    }
    expect(await refusalOf(at.connect('ann', ['a', 'b', 'c']))).toEqual(refusal)
    const connId = await at.connect('ann', ['a', 'b'])
    expect(await refusalOf(at.subscribe(connId, 'c'))).toEqual(refusal)
    expect((await at.subscribe(connId, 'a')).subscribed_to).toEqual([])
    expect(reported).toEqual(['ann: channels', 'ann: channels'])
  })

  it('refuses all connections of a user together, and reports that once', async () => {
    const { at, reported } = begin({ maxChannels: 2 })
    for (let n = 0; n < 3; n++) await at.connect('ann', ['a'])
    const subscribe = (...channels: string[]) =>
      at.hub.subscribe(SubscribeRequest.parse({ username: 'ann', channels }))
    expect(await refusalOf(subscribe('b', 'c'))).toMatchObject({ code: 'TOO_MANY_CHANNELS' })
    expect(reported).toEqual(['ann: channels'])
    expect(await subscribe('b')).toMatchObject({ channels: ['a', 'b'], subscribed_to: ['b'] })
  })

  it('does not apply to unlimited users', async () => {
    const { at } = begin({ maxChannels: 1, unlimited: userNames('ann') })
    const connId = await at.connect('ann', ['a', 'b'])
    expect((await at.subscribe(connId, 'c')).channels).toEqual(['a', 'b', 'c'])
  })
})

describe('the rate of messages', () => {
  const RATE = { messagesPerSecond: 2, messageBurst: 3 }

  it('names the first message of each user that is refused, and the longest wait', async () => {
    const { at, reported } = begin(RATE)
    await at.connect('listener', ['room'])
    await at.say('room', ['1', '2', '3'], { user: 'ann' })
    await at.say('room', ['4', '5'], { user: 'bob' })
    const batch = at.hub.postMessages(['cem', 'bob', 'bob', 'ann', 'ann', 'ann'].map(messageOf))
    expect(await refusalOf(batch)).toEqual({
      code: 'TOO_MANY_MESSAGES',
      complaints: {
        1: { user: ['Too many messages. Wait 1 second.'] },
        3: { user: ['Too many messages. Wait 2 seconds.'] },
      },
      retryAfterSeconds: 2,
    })
    expect(reported).toEqual(['bob: messages', 'ann: messages'])
  })

  it('refuses with 422 what could never be posted at once', async () => {
    const { at, reported } = begin(RATE)
    const texts = ['1', '2', '3', '4']
    expect(await refusalOf(at.say('room', texts, { user: 'ann' }))).toEqual({
      code: 'INVALID',
      complaints: { 0: { user: ['More than 3 messages of this user in one channel.'] } },
      retryAfterSeconds: undefined,
    })
    expect(reported).toEqual([])
    await at.say('room', texts.slice(0, 3), { user: 'ann' })
  })

  it('is of each channel, and of private messages together', async () => {
    const { at } = begin(RATE)
    const texts = ['1', '2', '3']
    await at.say('room', texts)
    await at.say('other', texts)
    await at.say(null, ['1', '2'], { pm_users: ['bob'] })
    await at.say(null, '3', { pm_users: ['cem'] })
    expect(await refusalOf(at.say(null, '4', { pm_users: ['dan'] }))).toMatchObject({
      code: 'TOO_MANY_MESSAGES',
    })
  })

  it('is the same for messages whose recipients are asked for', async () => {
    const { at, reported } = begin({ ...RATE, messageBurst: 1 })
    await at.connect('listener', ['room'])
    const post = () => at.hub.postAndCount([messageOf('ann')])
    expect(await post()).toMatchObject([{ recipients: { connections: 1, users: 1 } }])
    expect(await refusalOf(post())).toMatchObject({ code: 'TOO_MANY_MESSAGES' })
    expect(reported).toEqual(['ann: messages'])
  })

  it('counts a message to several channels in each of them, once', async () => {
    const { at } = begin(RATE)
    const channels = ['room', 'other', 'room']
    await at.say(null, ['1', '2'], { channels })
    await at.say('room', '3')
    expect(await refusalOf(at.say(null, '4', { channels }))).toMatchObject({
      code: 'TOO_MANY_MESSAGES',
      complaints: { 0: { user: ['Too many messages. Wait 1 second.'] } },
    })
    await at.say('other', '3')
    await at.say(null, ['1', '2', '3'], { pm_users: ['bob'] })
  })

  it('does not count messages without a target, edits and deletes', async () => {
    const { at } = begin({ ...RATE, messageBurst: 1 })
    await at.say(null, ['1', '2', '3'])
    const uuid = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
    await at.say('room', '1', { uuid })
    const change = { ...DELIVERY, uuid }
    for (let n = 0; n < 3; n++) await at.hub.editMessages([{ ...change, message: { text: 'x' } }])
    for (let n = 0; n < 3; n++) await at.hub.deleteMessages([change])
    expect(await refusalOf(at.say('room', '2'))).toMatchObject({ code: 'TOO_MANY_MESSAGES' })
  })

  it('does not apply to unlimited users, and not to messages from elsewhere', async () => {
    const { at } = begin({ ...RATE, messageBurst: 1, unlimited: userNames('speaker') })
    for (let n = 0; n < 3; n++) await at.say('room', ['1', '2', '3'])
    const { channel } = DELIVERY
    for (let n = 0; n < 5; n++) await at.hub.say({ channel, user: userName('ann'), message: {} })
  })

  it('follows the clock', async () => {
    const { at } = begin(RATE)
    await at.say('room', ['1', '2', '3'])
    await at.clock.advance(499)
    expect(await refusalOf(at.say('room', '4'))).toMatchObject({ retryAfterSeconds: 1 })
    await at.clock.advance(1)
    await at.say('room', '4')
  })
})

import { describe, expect, it } from 'vitest'
import { liveEvent } from '../../src/core/delivery/outgoing-event.ts'
import { hasTarget, postDelete, postEdit, postMessage } from '../../src/core/messages.ts'
import { DeleteRequest, EditRequest, MessageRequest } from '../../src/protocol/requests.ts'
import { uuidOf } from '../contract/fixtures.ts'

const NOW = '2030-01-01T00:00:00.000000'
const post = (given: object) =>
  postMessage(NOW, MessageRequest.parse({ user: 'ann', channel: 'room', ...given }))
const change = (given: object) =>
  postEdit(NOW, EditRequest.parse({ uuid: uuidOf(1), channel: 'room', ...given }))

describe('posting a message', () => {
  it('fills in uuid and time, and answers them', () => {
    const { answer, publication } = post({ message: { text: 'hello' } })
    expect(answer).toEqual({
      user: 'ann',
      channel: 'room',
      message: { text: 'hello' },
      pm_users: [],
      exclude_users: [],
      no_history: false,
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      timestamp: NOW,
      edited: null,
    })
    expect(publication.body).toMatchObject({ uuid: answer.uuid, timestamp: NOW, type: 'message' })
  })

  it('keeps uuid and time that were given', () => {
    const given = { uuid: uuidOf(5), timestamp: '2029-01-01T00:00:00' }
    const { answer, publication } = post(given)
    expect(answer).toMatchObject(given)
    expect(publication.body).toMatchObject(given)
  })

  it('says that it was never edited, whatever the caller says', () => {
    const { answer, publication } = post({ edited: '2020-01-01T00:00:00' })
    expect(answer.edited).toBeNull()
    expect(publication.body['edited']).toBeNull()
  })

  it('answers the caller’s own type and catchup, but announces the real ones', () => {
    const { answer, publication } = post({ type: 'presence', catchup: true })
    expect(answer).toMatchObject({ type: 'presence', catchup: true })
    expect(publication.body.type).toBe('message')
    expect(JSON.parse(JSON.stringify(publication.body))).not.toHaveProperty('catchup')
  })

  it('passes further keys on, but not how it is delivered', () => {
    const { publication } = post({
      mood: 'fine',
      pm_users: ['bob'],
      exclude_users: ['cem'],
      no_history: true,
    })
    const told: unknown = JSON.parse(JSON.stringify(publication.body))
    expect(told).toMatchObject({ mood: 'fine' })
    for (const key of ['pm_users', 'exclude_users', 'no_history'])
      expect(told).not.toHaveProperty(key)
    expect(publication.delivery).toEqual({
      pmUsers: ['bob'],
      excludeUsers: ['cem'],
      noHistory: true,
    })
  })

  it.each([
    {},
    { message: { text: 'hello' } },
    { message: {}, uuid: uuidOf(3), timestamp: '2029-01-01T00:00:00', pm_users: ['bob'] },
    { exclude_users: ['cem'], no_history: true },
    { channel: null, pm_users: ['bob', 'cem'], exclude_users: ['cem'] },
  ])('does the same with a key of the caller’s own and without: %j', (given) => {
    const uuid = uuidOf(9)
    const [plain, more] = [given, { ...given, own: 1 }].map((wish) => {
      const request = MessageRequest.parse({ user: 'ann', channel: 'room', ...wish })
      return postMessage(NOW, request, uuid)
    })
    const { answer, publication } = JSON.parse(JSON.stringify(more)) as NonNullable<typeof more>
    const { own: ownAnswered, ...answered } = answer as { own?: number }
    const { own: ownTold, ...body } = publication.body
    expect([ownAnswered, ownTold]).toEqual([1, 1])
    expect(JSON.parse(JSON.stringify(plain))).toEqual({
      answer: answered,
      publication: { ...publication, body },
    })
    const views = [plain, more].map((posting) =>
      posting ? liveEvent({ n: 1, id: 'e-1', ...posting.publication }).json : '',
    )
    const [plainView, moreView] = views.map((text) => JSON.parse(text) as object)
    expect(moreView).toEqual({ ...plainView, own: 1 })
  })

  it('goes to the channel if there is one, to its users if there is none', () => {
    expect(post({ pm_users: ['bob'] }).publication).not.toHaveProperty('users')
    expect(post({ channel: null, pm_users: ['bob', 'cem'] }).publication.users).toEqual([
      'bob',
      'cem',
    ])
  })

  it('lets an exclusion win over a private-message list without a channel', () => {
    const given = { channel: null, pm_users: ['bob', 'cem'], exclude_users: ['bob'] }
    expect(post(given).publication.users).toEqual(['cem'])
  })

  it('goes to several channels, each once, and says nothing of them', () => {
    const channels = ['b', 'a', 'b']
    for (const given of [{ channels }, { channels, mood: 'fine', message: { text: 'hello' } }]) {
      const { answer, publication } = post({ channel: null, pm_users: ['bob'], ...given })
      expect(answer).toMatchObject({ channel: null, channels, pm_users: ['bob'] })
      expect(publication).toMatchObject({ channels: ['b', 'a'], delivery: { pmUsers: ['bob'] } })
      expect(publication).not.toHaveProperty('users')
      expect(publication.body.channel).toBeNull()
      expect(JSON.parse(JSON.stringify(publication.body))).not.toHaveProperty('channels')
    }
    expect(post({}).answer).not.toHaveProperty('channels')
  })

  it('has a target if it names a channel or a user', () => {
    const target = (given: object) => hasTarget(MessageRequest.parse({ user: 'ann', ...given }))
    expect(target({})).toBe(false)
    expect(target({ exclude_users: ['bob'] })).toBe(false)
    expect(target({ channel: 'room' })).toBe(true)
    expect(target({ channels: ['room'] })).toBe(true)
    expect(target({ pm_users: ['bob'] })).toBe(true)
  })
})

describe('posting an edit', () => {
  it('fills in when it was edited, and nothing else', () => {
    const { answer, publication } = change({ message: { text: 'new' } })
    expect(answer).toEqual({
      uuid: uuidOf(1),
      channel: 'room',
      message: { text: 'new' },
      pm_users: [],
      exclude_users: [],
      no_history: false,
      edited: NOW,
    })
    expect(publication.body).toMatchObject({ type: 'message:edit', edited: NOW })
    expect(publication.body.timestamp).toBeUndefined()
  })

  it('keeps what was given, further keys as well', () => {
    const given = { edited: '2029-01-01T00:00:00', timestamp: '2028-01-01T00:00:00', mood: 'fine' }
    const { answer, publication } = change(given)
    expect(answer).toMatchObject(given)
    expect(publication.body).toMatchObject(given)
  })
})

describe('posting a change in several channels', () => {
  it('answers the channels, and says nothing of them in the event', () => {
    const channels = ['b', 'a', 'b']
    const given = { uuid: uuidOf(1), channels }
    for (const { answer, publication } of [
      postEdit(NOW, EditRequest.parse(given)),
      postDelete(DeleteRequest.parse(given)),
    ]) {
      expect(answer).toMatchObject({ channel: null, channels })
      expect(publication.channels).toEqual(['b', 'a'])
      expect(JSON.parse(JSON.stringify(publication.body))).not.toHaveProperty('channels')
    }
  })
})

describe('posting a delete', () => {
  it('tells which message is gone, and nothing else', () => {
    const { answer, publication } = postDelete(
      DeleteRequest.parse({ uuid: uuidOf(1), channel: 'room', pm_users: ['bob'] }),
    )
    expect(answer).toMatchObject({ uuid: uuidOf(1), pm_users: ['bob'] })
    expect(JSON.parse(JSON.stringify(publication.body))).toEqual({
      type: 'message:delete',
      uuid: uuidOf(1),
      channel: 'room',
    })
    expect(publication.delivery.pmUsers).toEqual(['bob'])
  })
})

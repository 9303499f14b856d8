import { describe, expect, it } from 'vitest'
import { catchUpStart, lateEvents, topicsToRead } from '../../../src/core/sessions/catch-up.ts'
import { channelTopic, userTopic } from '../../../src/store/store.ts'
import { channelName, message, storedEvent, userName } from '../../contract/fixtures.ts'
import { ManualClock } from '../../helpers/clock.ts'
import type { CatchUpStart } from '../../../src/core/sessions/catch-up.ts'
import type { Attachment, Missed } from '../../../src/store/store.ts'

const ROOM = channelTopic(channelName('room'))
const OTHER = channelTopic(channelName('other'))
const ANN = userTopic(userName('ann'))
const NOW = '2030-01-01T00:00:00.000000'
const store = { epoch: 'epoch' }

const attachment = (more: Partial<Attachment> = {}): Attachment => ({
  user: userName('ann'),
  channels: [
    { name: channelName('room'), since: 0 },
    { name: channelName('other'), since: 7 },
  ],
  cursor: 5,
  returning: true,
  ...more,
})

const startAt = (more: Partial<CatchUpStart> = {}): CatchUpStart => ({
  after: 5,
  epochLost: false,
  returning: true,
  ...more,
})

const missedOf = (more: Partial<Missed> = {}): Missed => ({
  events: [],
  gaps: [],
  lost: new Map(),
  head: 20,
  through: 20,
  ...more,
})

const late = (start: CatchUpStart, missed: Missed): Record<string, unknown>[] =>
  lateEvents({ clock: new ManualClock(), store }, attachment(), start, missed).map(
    (event) => JSON.parse(event.json) as Record<string, unknown>,
  )

describe('where catch-up starts', () => {
  it('is the last event that the server knows to have sent', () => {
    expect(catchUpStart(store, attachment(), 9, undefined)).toEqual(startAt({ after: 9 }))
  })

  it('is what the client names, before or after what the server knows', () => {
    for (const n of [3, 15])
      expect(catchUpStart(store, attachment(), 9, { epoch: 'epoch', n })).toEqual(
        startAt({ after: n }),
      )
  })

  it('is what the server knows, if the client names a time that the store has lost', () => {
    expect(catchUpStart(store, attachment(), 9, { epoch: 'before', n: 3 })).toEqual(
      startAt({ after: 9, epochLost: true }),
    )
  })

  it('is of one who returns, if a client had opened the connection or names a cursor', () => {
    const fresh = attachment({ returning: false })
    expect(catchUpStart(store, fresh, 9, undefined).returning).toBe(false)
    expect(catchUpStart(store, fresh, 9, { epoch: 'epoch', n: 3 }).returning).toBe(true)
  })

  it('is, in a channel that was joined later, the joining', () => {
    expect(topicsToRead(attachment(), startAt())).toEqual([
      { topic: ANN, after: 5 },
      { topic: ROOM, after: 5 },
      { topic: OTHER, after: 7 },
    ])
    expect(topicsToRead(attachment(), startAt({ after: 9 }))).toContainEqual({
      topic: OTHER,
      after: 9,
    })
  })
})

describe('late events', () => {
  it('are what was missed, in order, each marked as late', () => {
    const events = [6, 8, 9].map((n) => storedEvent(n))
    const told = late(startAt(), missedOf({ events }))
    expect(told.map(({ id, catchup }) => [id, catchup])).toEqual([
      ['epoch-6', true],
      ['epoch-8', true],
      ['epoch-9', true],
    ])
  })

  it('are those that the user may see', () => {
    const events = [
      storedEvent(6, message('room', { pmUsers: ['bob'] })),
      storedEvent(7, message('room', { pmUsers: ['ann'] })),
      storedEvent(8, message('room', { excludeUsers: ['ann'] })),
      storedEvent(9, message('room', { pmUsers: ['ann'], excludeUsers: ['ann'] })),
    ]
    expect(late(startAt(), missedOf({ events })).map(({ id }) => id)).toEqual(['epoch-7'])
  })

  it('begin with the gap, if there is one, that says where', () => {
    const told = late(startAt(), missedOf({ events: [storedEvent(9)], gaps: [ROOM] }))
    expect(told[0]).toEqual({
      type: 'gap',
      id: 'epoch-8',
      timestamp: NOW,
      date: NOW,
      channels: ['room'],
      private: false,
      message: { action: 'gap' },
      catchup: true,
    })
    expect(told[1]).toMatchObject({ id: 'epoch-9' })
    const [both] = late(startAt(), missedOf({ gaps: [ANN, OTHER] }))
    expect(both).toMatchObject({ channels: ['other'], private: true, id: 'epoch-20' })
  })

  it('say nothing of a gap to those who open for the first time', () => {
    const missed = missedOf({ events: [storedEvent(9)], gaps: [ROOM] })
    expect(late(startAt({ returning: false }), missed).map(({ type }) => type)).toEqual(['message'])
  })

  it('begin with a gap everywhere, if the store has lost its memory', () => {
    const told = late(startAt({ epochLost: true }), missedOf({ events: [storedEvent(9)] }))
    expect(told[0]).toMatchObject({ type: 'gap', channels: ['room', 'other'], private: true })
    expect(told).toHaveLength(2)
  })

  it('are a gap everywhere, if the client is ahead of the store', () => {
    expect(late(startAt({ after: 20 }), missedOf())).toEqual([])
    const [gap, ...others] = late(startAt({ after: 21 }), missedOf())
    expect(gap).toMatchObject({ channels: ['room', 'other'], private: true, id: 'epoch-20' })
    expect(others).toEqual([])
  })

  it('name channels by their whole name in a gap', () => {
    const odd = channelTopic(channelName('c:u:\n'))
    expect(late(startAt(), missedOf({ gaps: [odd] }))[0]).toMatchObject({
      channels: ['c:u:\n'],
      private: false,
    })
  })
})

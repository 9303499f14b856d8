import { describe, expect, it } from 'vitest'
import {
  OutgoingEvent,
  lateEvent,
  liveEvent,
  maySee,
} from '../../../src/core/delivery/outgoing-event.ts'
import {
  channelName,
  deliveryOf,
  edit,
  inSeveral,
  message,
  notice,
  retraction,
  storedEvent,
  userName,
} from '../../contract/fixtures.ts'
import type { Publication } from '../../../src/store/store.ts'

const parsed = (event: OutgoingEvent) => JSON.parse(event.json) as unknown
const live = (publication: Publication) => parsed(liveEvent(storedEvent(7, publication)))
const late = (publication: Publication) => parsed(lateEvent(storedEvent(7, publication)))

describe('who may see an event', () => {
  const maySeeIt = (user: string, wishes: Parameters<typeof deliveryOf>[0]) =>
    maySee(userName(user), { delivery: deliveryOf(wishes) })

  it('is everyone, if nobody is named', () => {
    expect(maySeeIt('ann', {})).toBe(true)
  })

  it('is who it is for, and nobody else', () => {
    expect(maySeeIt('ann', { pmUsers: ['ann', 'bob'] })).toBe(true)
    expect(maySeeIt('cem', { pmUsers: ['ann', 'bob'] })).toBe(false)
  })

  it('is not who is excluded', () => {
    expect(maySeeIt('ann', { excludeUsers: ['ann'] })).toBe(false)
    expect(maySeeIt('bob', { excludeUsers: ['ann'] })).toBe(true)
  })

  it('lets an exclusion win over a private-message list', () => {
    expect(maySeeIt('ann', { pmUsers: ['ann', 'bob'], excludeUsers: ['ann'] })).toBe(false)
    expect(maySeeIt('bob', { pmUsers: ['ann', 'bob'], excludeUsers: ['ann'] })).toBe(true)
  })

  it('is decided by the whole name', () => {
    expect(maySeeIt('an', { pmUsers: ['ann'] })).toBe(false)
    expect(maySeeIt('Ann', { excludeUsers: ['ann'] })).toBe(true)
  })
})

describe('an event on its way out', () => {
  it('is serialised once, on first use', () => {
    let serialised = 0
    const event = new OutgoingEvent(1, 'epoch-1', {
      type: 'message',
      toJSON: () => ({ times: ++serialised }),
    })
    expect(serialised).toBe(0)
    expect(event.json).toBe(event.json)
    expect(serialised).toBe(1)
  })

  it('tells id, and the timestamp as date too', () => {
    expect(live(message('room', { text: 'hello' }))).toEqual({
      type: 'message',
      id: 'epoch-7',
      uuid: '00000000-0000-4000-8000-000000000999',
      channel: 'room',
      timestamp: '2030-01-01T00:00:00.000000',
      date: '2030-01-01T00:00:00.000000',
      user: 'somebody',
      message: { text: 'hello' },
      edited: null,
      catchup: false,
    })
  })

  it('never tells how it is delivered', () => {
    const secret = { pmUsers: ['zoe'], excludeUsers: ['yul'], noHistory: true }
    for (const told of [live(message('room', secret)), late(message('room', secret))]) {
      expect(JSON.stringify(told)).not.toMatch(/zoe|yul|pm_|pmUsers|exclude|history/i)
    }
  })

  it('says whether it is late, but live edits and deletes say nothing', () => {
    for (const publication of [message('room'), notice('room')]) {
      expect(live(publication)).toMatchObject({ catchup: false })
      expect(late(publication)).toMatchObject({ catchup: true })
    }
    for (const publication of [edit('room'), retraction('room')]) {
      expect(live(publication)).not.toHaveProperty('catchup')
      expect(late(publication)).toMatchObject({ catchup: true })
    }
  })

  it('has its own id and date, whatever the sender called so', () => {
    const forged = message('room', { more: { id: 'forged', date: 'forged', catchup: undefined } })
    const told = live(forged)
    expect(told).toMatchObject({
      id: 'epoch-7',
      date: '2030-01-01T00:00:00.000000',
      catchup: false,
    })
  })

  it('writes UTC as Z', () => {
    const timestamp = '2030-01-01T00:00:00+00:00'
    const edited = '2030-01-02T00:00:00+00:00'
    expect(live(message('room', { more: { timestamp, edited } }))).toMatchObject({
      timestamp: '2030-01-01T00:00:00Z',
      date: '2030-01-01T00:00:00Z',
      edited: '2030-01-02T00:00:00Z',
    })
    const elsewhere = '2030-01-01T00:00:00+02:00'
    expect(live(message('room', { more: { timestamp: elsewhere } }))).toMatchObject({
      timestamp: elsewhere,
    })
  })

  it('has neither timestamp nor date if it was given none', () => {
    expect(live(retraction('room'))).not.toHaveProperty('date')
    expect(live(retraction('room'))).not.toHaveProperty('timestamp')
  })

  it('of a message in several channels is serialised once, but for channel and id', () => {
    let serialised = 0
    const said = { toJSON: () => ({ times: ++serialised }) }
    const publication = inSeveral(['a', '"'], message('a', { more: { message: said, icon: 'x' } }))
    const told = ['a', '"'].map((channel, index) => {
      const body = { ...publication.body, channel: channelName(channel) }
      const event = storedEvent(7 + index, { ...publication, body })
      return parsed(liveEvent({ ...event, publication }))
    })
    const alone = live(message('a', { more: { message: { times: 1 }, icon: 'x' } })) as object
    expect(told).toEqual([alone, { ...alone, channel: '"', id: 'epoch-8' }])
    expect(serialised).toBe(1)
    const next = { ...publication }
    const event = storedEvent(9, message('a', { text: 'of the next publication' }))
    expect(parsed(liveEvent({ ...event, publication: next }))).toMatchObject({
      message: { text: 'of the next publication' },
    })
  })

  it('is shared by all who get it late', () => {
    const event = storedEvent(7)
    expect(lateEvent(event)).toBe(lateEvent(event))
    expect(lateEvent(storedEvent(7))).not.toBe(lateEvent(event))
  })
})

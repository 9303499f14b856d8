import { describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import { channelName, settingsOf, userName } from '../contract/fixtures.ts'
import { presenceEvents } from '../../src/core/presence.ts'
import type { MembershipChange } from '../../src/store/store.ts'

const LOUD = settingsOf({ notify_presence: true })

const change = (channel: string, more: Partial<MembershipChange> = {}): MembershipChange => ({
  channel: channelName(channel),
  settings: LOUD,
  userChanged: true,
  ...more,
})

const told = (changes: MembershipChange[], state: Record<string, string> | null = {}) =>
  presenceEvents(new ManualClock(), userName('ann'), changes, state)

describe('presence', () => {
  it('is told in each channel that a user came to, with the public state', () => {
    const events = told([change('one'), change('two')], { mood: 'fine' })
    expect(events.map(({ body }) => body)).toEqual(
      ['one', 'two'].map((channel) => ({
        type: 'presence',
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        user: 'ann',
        users: [],
        timestamp: '2030-01-01T00:00:00.000000',
        channel,
        message: { action: 'joined' },
        state: { mood: 'fine' },
      })),
    )
    expect(events[0]?.body.uuid).not.toBe(events[1]?.body.uuid)
  })

  it('is told without a state when a user parted', () => {
    const [event] = told([change('one')], null)
    expect(event?.body).toMatchObject({ message: { action: 'parted' }, state: null })
  })

  it('is told to everyone but the user', () => {
    expect(told([change('one')])[0]).toMatchObject({
      delivery: { pmUsers: [], excludeUsers: ['ann'] },
    })
  })

  it('is not told of further connections, nor where it is switched off', () => {
    expect(told([change('one', { userChanged: false })])).toEqual([])
    expect(told([change('one', { settings: settingsOf() })])).toEqual([])
    expect(told([])).toEqual([])
  })

  it('lists who is there, and counts them, where there is a list', () => {
    const users = [{ user: userName('bob'), state: { a: 1 } }]
    const [event] = told([change('one', { present: { users, total: 7 } })])
    expect(event?.body).toMatchObject({ users, users_total: 7 })
    expect(told([change('one')])[0]?.body).not.toHaveProperty('users_total')
  })
})

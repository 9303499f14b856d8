import { describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/clock.ts'
import { channelNames, userName, uuidOf } from '../contract/fixtures.ts'
import { userStateEvents } from '../../src/core/user-state.ts'
import type { UserStateChange } from '../../src/store/store.ts'

const changeOf = (more: Partial<UserStateChange> = {}): UserStateChange => ({
  user: {
    name: userName('ann'),
    uuid: uuidOf(1),
    state: { mood: 'fine', pin: 1234 },
    publicState: { mood: 'fine' },
    publicKeys: ['mood'],
  },
  changed: [
    { key: 'mood', value: 'fine' },
    { key: 'pin', value: 1234 },
  ],
  notify: channelNames('one', 'two'),
  ...more,
})

const told = (change: UserStateChange) => userStateEvents(new ManualClock(), change)

describe('a change of state', () => {
  it('is told in each channel that wants to know, to everyone, with public keys only', () => {
    const events = told(changeOf())
    expect(events.map(({ body }) => body)).toEqual(
      ['one', 'two'].map((channel) => ({
        type: 'user_state_change',
        uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        user: 'ann',
        timestamp: '2030-01-01T00:00:00.000000',
        channel,
        message: { state: { mood: 'fine' }, changed: [{ key: 'mood', value: 'fine' }] },
      })),
    )
    expect(events[0]?.delivery).toEqual({ pmUsers: [], excludeUsers: [], noHistory: false })
    expect(JSON.stringify(events)).not.toMatch(/pin|1234/)
  })

  it('is not told if nothing changed, or nobody wants to know', () => {
    expect(told(changeOf({ changed: [] }))).toEqual([])
    expect(told(changeOf({ notify: [] }))).toEqual([])
  })

  it('is not told of keys that only look public because every object has them', () => {
    const [event] = told(changeOf({ changed: [{ key: 'toString', value: 'secret' }] }))
    expect(event?.body).toMatchObject({ message: { changed: [] } })
  })
})

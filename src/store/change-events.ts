/** The events that a change brings with it. The scripts of `redis/lua/change-events.lua` make the same. */
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { Changed, Delivery, EventBody, Publication, State, UserCard } from './store.ts'

/** When and where it happened. `timestamp` is in Python's isoformat. */
interface EventOrigin {
  readonly channel: ChannelName
  readonly timestamp: string
}

/** Who is in a channel: at most `presenceListLimit` of them, and how many there are. */
export interface Present {
  readonly users: readonly UserCard[]
  readonly total: number
}

interface PresenceChange {
  readonly user: UserName
  /** The public state of who joined; null: the user parted. */
  readonly state: State | null
  /** With who joined, without who left. Only where presence is announced with user lists. */
  readonly present: Present | undefined
}

/**
 * A user has come to a channel, or gone from it. Told to others only, on none of the user's own connections
 * (recorded: presence-not-to-oneself).
 */
export const presence = (
  { channel, timestamp }: EventOrigin,
  { user, state, present }: PresenceChange,
) =>
  publication([user], {
    type: 'presence',
    uuid: crypto.randomUUID(),
    user,
    users: present?.users ?? [],
    ...(present && { users_total: present.total }),
    timestamp,
    channel,
    message: { action: state ? 'joined' : 'parted' },
    state,
  })

interface StateChange {
  readonly user: UserName
  /** The public state as it is now. */
  readonly state: State
  readonly changed: readonly Changed[]
}

/**
 * A user's state has changed, in each channel that is told of it. Only what is public is shown (recorded:
 * state-frame-public-only), to the user as well.
 */
export function userStateChange({ user, state, changed }: StateChange) {
  const message = { state, changed: changed.filter(({ key }) => Object.hasOwn(state, key)) }
  return ({ channel, timestamp }: EventOrigin): Publication =>
    publication([], {
      type: 'user_state_change',
      uuid: crypto.randomUUID(),
      user,
      timestamp,
      channel,
      message,
    })
}

function publication(excludeUsers: readonly UserName[], body: EventBody): Publication {
  const delivery: Delivery = { pmUsers: [], excludeUsers, noHistory: false }
  return { body, delivery }
}

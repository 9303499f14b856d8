/** Makes the events that announce a change. The scripts in `redis/lua/change-events.lua` make the same events. */
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { Changed, Delivery, EventBody, Publication, State, UserCard } from './store.ts'

/** When and where the change happened. `timestamp` is in Python's isoformat. */
interface EventOrigin {
  readonly channel: ChannelName
  readonly timestamp: string
}

/** The users in a channel, at most `presenceListLimit` of them, and their total number. */
export interface Present {
  readonly users: readonly UserCard[]
  readonly total: number
}

interface PresenceChange {
  readonly user: UserName
  /** The public state of a user who joined; null if the user parted. */
  readonly state: State | null
  /** After the change. Only for channels with `broadcast_presence_with_user_lists`. */
  readonly present: Present | undefined
}

/**
 * A user joined or parted from a channel. None of the user's own connections get it (recorded:
 * presence-not-to-oneself).
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
  /** The public state after the change. */
  readonly state: State
  readonly changed: readonly Changed[]
}

/**
 * A user's state has changed. Returns a function that makes the event for one channel. Everybody, the user included,
 * sees only public keys (recorded: state-frame-public-only).
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

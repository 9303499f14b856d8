import { isoTimestamp } from './timestamps.ts'
import type { Clock } from '../clock.ts'
import type { UserName } from '../protocol/ids.ts'
import type { MembershipChange, Publication, State } from '../store/store.ts'

/**
 * The events that tell a user's coming or going: for a first or last connection, in channels that announce presence.
 *
 * Told to others only, on none of the user's own connections (recorded: presence-not-to-oneself).
 * `state`: the public state of who joined, null for who parted.
 */
export function presenceEvents(
  clock: Clock,
  user: UserName,
  changes: readonly MembershipChange[],
  state: State | null,
): Publication[] {
  const announced = changes.filter(
    ({ userChanged, settings }) => userChanged && settings.notify_presence,
  )
  return announced.map(({ channel, present }) => ({
    body: {
      type: 'presence',
      uuid: crypto.randomUUID(),
      user,
      users: present?.users ?? [],
      ...(present && { users_total: present.total }),
      timestamp: isoTimestamp(clock.wallTime()),
      channel,
      message: { action: state ? 'joined' : 'parted' },
      state,
    },
    delivery: { pmUsers: [], excludeUsers: [user], noHistory: false },
  }))
}

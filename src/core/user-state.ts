import { isoTimestamp } from './timestamps.ts'
import type { Clock } from '../clock.ts'
import type { Publication, UserStateChange } from '../store/store.ts'

/**
 * The events that tell a change of state: one per channel of the user that has `notify_state`, to the user as well.
 * Only what `state_public_keys` names is shown (recorded: state-frame-public-only).
 */
export function userStateEvents(
  clock: Clock,
  { user, changed, notify }: UserStateChange,
): Publication[] {
  if (changed.length === 0) return []
  const shown = changed.filter(({ key }) => Object.hasOwn(user.publicState, key))
  return notify.map((channel) => ({
    body: {
      type: 'user_state_change',
      uuid: crypto.randomUUID(),
      user: user.name,
      timestamp: isoTimestamp(clock.wallTime()),
      channel,
      message: { state: user.publicState, changed: shown },
    },
    delivery: { pmUsers: [], excludeUsers: [], noHistory: false },
  }))
}

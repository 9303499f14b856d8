/** Stored messages as answers show them. */
import { isListed } from '../../lib/name-list.ts'
import { roughSize } from '../../lib/rough-size.ts'
import { maySee } from '../delivery/outgoing-event.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { HistoryItem } from '../../protocol/responses.ts'
import type { StoredEvent } from '../../store/store.ts'

/** Messages that are read and written at once. A longer list is written page by page. */
export const HISTORY_PAGE = 20

/** The bytes of what a stored message has beside its body: id, date, delivery. */
const ITEM_OVERHEAD = 200

/** The approximate size of a stored message in an answer for the backend. Stops counting at `limit`. */
export function itemSize({ body, delivery }: StoredEvent, limit: number): number {
  const size = ITEM_OVERHEAD + roughSize(body, limit)
  const { pmUsers, excludeUsers } = delivery
  if (pmUsers.length + excludeUsers.length === 0) return size
  return size + roughSize(pmUsers, limit) + roughSize(excludeUsers, limit)
}

/** Returns whether these messages together are smaller than `limit`. */
export function areSmall(events: Iterable<StoredEvent>, limit: number): boolean {
  let left = limit
  for (const event of events) {
    left -= itemSize(event, left)
    if (left < 0) return false
  }
  return true
}

/** `viewer`: the user of the request. Undefined: the backend, which may see everything. */
export const visibleTo = (viewer: UserName | undefined, history: readonly StoredEvent[]) =>
  viewer === undefined ? history : history.filter((event) => maySee(viewer, event))

/** Hides from a viewer who else received a message. The keys stay. Source: recorded (history-shape). */
export function historyItem(
  { id, body, delivery }: StoredEvent,
  viewer: UserName | undefined,
): HistoryItem {
  const others = viewer === undefined
  return {
    ...body,
    id,
    date: body.timestamp,
    pm_users: others ? delivery.pmUsers : ownNames(delivery.pmUsers, viewer),
    exclude_users: others ? delivery.excludeUsers : [],
    no_history: delivery.noHistory,
    catchup: false,
  } as HistoryItem
}

/** Returns the viewer's name as often as the sender listed it. */
const ownNames = (users: readonly UserName[], viewer: UserName): readonly UserName[] =>
  isListed(users, viewer) ? users.filter((user) => user === viewer) : []

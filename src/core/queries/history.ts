import { complaint } from '../../protocol/complaints.ts'
import { RequestError, invalid } from '../../protocol/errors.ts'
import { parseCursor } from '../../protocol/ids.ts'
import { maySee } from '../delivery/outgoing-event.ts'
import { unknownChannel } from '../naming.ts'
import { HISTORY_PAGE, historyItem, itemSize } from './history-items.ts'
import { PagedList, pagesOf } from './paged-answer.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type { HistoryRequest } from '../../protocol/history.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { HistoryItem, HistoryResponse } from '../../protocol/responses.ts'
import type { HistoryRange, Store, StoredEvent } from '../../store/store.ts'

interface HistoryDeps {
  readonly store: Pick<Store, 'epoch' | 'history'>
  readonly maybeYield: Yielder
}

/** Serialised like `HistoryResponse`. */
export type PagedHistory = Omit<HistoryResponse, 'history'> & {
  readonly history: readonly HistoryItem[] | PagedList<HistoryItem>
}

/** An answer has messages of about this many bytes, and at least one message. */
const MAX_ANSWER_BYTES = 1_048_576
/** An answer up to this size is written in one piece. */
const SHORT_ANSWER_BYTES = 65_536
/** Messages per call of the store. */
const READ_AT_ONCE = 250

/**
 * Returns a page of a channel's history. Throws `INVALID` for an unknown channel, and `OUTDATED_ID` for an id of an
 * epoch that the store has lost.
 */
export async function readHistory(
  deps: HistoryDeps,
  request: HistoryRequest,
): Promise<PagedHistory> {
  const { channel, limit, before, after, reverse, username: viewer } = request
  if (before !== undefined && after !== undefined)
    throw invalid(complaint(['before'], 'Not together with after.'))
  const range: HistoryRange = {
    before: numberOf(deps.store, before),
    after: numberOf(deps.store, after),
    isBackward: before !== undefined || (after === undefined && reverse),
    // A user may not see all of them.
    most: viewer === undefined ? Math.min(limit + 1, READ_AT_ONCE) : READ_AT_ONCE,
    enough: MAX_ANSWER_BYTES,
  }
  const events: StoredEvent[] = []
  let [size, more] = [0, false]
  for await (const event of eventsIn(deps, channel, range)) {
    if (viewer !== undefined && !maySee(viewer, event)) continue
    const grown = size + itemSize(event, MAX_ANSWER_BYTES)
    more = events.length === limit || (events.length > 0 && grown > MAX_ANSWER_BYTES)
    if (more) break
    events.push(event)
    size = grown
  }
  if (range.isBackward !== reverse) events.reverse()
  const items = events.map((event) => historyItem(event, viewer))
  const isShort = size <= SHORT_ANSWER_BYTES
  const history = isShort ? items : new PagedList(pagesOf(items, HISTORY_PAGE, deps.maybeYield))
  return { channel, history, more }
}

/** Yields all messages of a range, in the direction of reading. */
async function* eventsIn(
  { store, maybeYield }: HistoryDeps,
  channel: ChannelName,
  range: HistoryRange,
): AsyncGenerator<StoredEvent, void> {
  for (let at = range; ;) {
    const part = await store.history(channel, at)
    if (!part) throw invalid(unknownChannel())
    yield* part.events
    const last = part.events.at(-1)
    if (!last || !part.isMore) return
    at = range.isBackward ? { ...at, before: last.n } : { ...at, after: last.n }
    await maybeYield()
  }
}

function numberOf({ epoch }: Pick<Store, 'epoch'>, id: string | undefined): number | undefined {
  const cursor = id === undefined ? undefined : parseCursor(id)
  if (cursor && cursor.epoch !== epoch) throw new RequestError('OUTDATED_ID')
  return cursor?.n
}

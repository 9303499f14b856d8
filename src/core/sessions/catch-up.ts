import { formatCursor } from '../../protocol/ids.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { channelTopic, isChannelTopic, nameInTopic, userTopic } from '../../store/store.ts'
import { OutgoingEvent, asLateEvent, lateEvent, maySee } from '../delivery/outgoing-event.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Cursor } from '../../protocol/ids.ts'
import type { Attachment, Missed, Since, Store, Topic } from '../../store/store.ts'

interface CatchUpDeps {
  readonly clock: Clock
  readonly store: Pick<Store, 'epoch'>
}

/** From where a connection has to be caught up. */
export interface CatchUpStart {
  /** The number of the last event that the client has. */
  readonly after: number
  /** The client's cursor is of a time that the store has no memory of. */
  readonly epochLost: boolean
  /** A client that has seen events before: it is told of gaps. One that opens for the first time gets what there is. */
  readonly returning: boolean
}

/** `known`: the number of the last event this server (or an earlier one) sent; `named`: what the client says. */
export function catchUpStart(
  store: Pick<Store, 'epoch'>,
  attachment: Attachment,
  known: number,
  named: Cursor | undefined,
): CatchUpStart {
  const epochLost = named !== undefined && named.epoch !== store.epoch
  const after = named && !epochLost ? named.n : known
  return { after, epochLost, returning: attachment.returning || named !== undefined }
}

/** Where a connection listens, and from which event on: in what is announced nothing is for it that came before. */
export function topicsToSubscribe({ user, channels }: Attachment): Since[] {
  return [
    { topic: userTopic(user), after: 0 },
    ...channels.map(({ name, since }) => ({ topic: channelTopic(name), after: since })),
  ]
}

/** A channel that was joined while a client had the connection open is caught up from the joining on. */
export function topicsToRead({ user, channels }: Attachment, { after }: CatchUpStart): Since[] {
  return [
    { topic: userTopic(user), after },
    ...channels.map(({ name, since }) => ({
      topic: channelTopic(name),
      after: Math.max(after, since),
    })),
  ]
}

/** What the client gets before anything live: the gap, if there is one, then what it missed and may see. */
export function lateEvents(
  deps: CatchUpDeps,
  attachment: Attachment,
  start: CatchUpStart,
  missed: Missed,
): OutgoingEvent[] {
  const events = missed.events.filter((event) => maySee(attachment.user, event)).map(lateEvent)
  const isAhead = start.after > missed.head
  const everything = start.epochLost || isAhead
  const lost = everything ? topicsToRead(attachment, start).map(({ topic }) => topic) : missed.gaps
  if (!start.returning || lost.length === 0) return events
  const n = (events[0]?.n ?? missed.head + 1) - 1
  return [gapEvent(deps, n, lost), ...events]
}

/** What was read for a client that opens a connection, and what was announced meanwhile. */
export interface CatchUp {
  readonly attachment: Attachment
  readonly start: CatchUpStart
  readonly missed: Missed
  readonly gate: readonly OutgoingEvent[]
}

/** Everything the client gets when its gate opens: what it missed, and what was announced meanwhile. */
export function eventsToSend(
  deps: CatchUpDeps,
  { attachment, start, missed, gate }: CatchUp,
): OutgoingEvent[] {
  const late = lateEvents(deps, attachment, start, missed)
  const read = new Set(missed.events.map(({ n }) => n))
  // A client may name a cursor that is ahead of everything.
  const after = Math.min(start.after, missed.head)
  const lastLate = late.at(-1)?.n ?? 0
  const announced = gate
    .filter(({ n }) => n > after && !read.has(n))
    // Not every event can be read, so an announced one may belong before one that was read.
    .map((event) => (event.n < lastLate ? asLateEvent(event) : event))
  return mergeByNumber(late, announced)
}

/** Both lists are in the order of their numbers; so is the answer. A gap comes before the event of its number. */
export function mergeByNumber(
  late: readonly OutgoingEvent[],
  live: readonly OutgoingEvent[],
): OutgoingEvent[] {
  return live.length === 0 ? [...late] : [...late, ...live].sort((one, other) => one.n - other.n)
}

/** Tells that events on these topics, up to the number `n`, may be lost. */
export function gapEvent(
  { clock, store }: CatchUpDeps,
  n: number,
  topics: readonly Topic[],
): OutgoingEvent {
  const id = formatCursor({ epoch: store.epoch, n })
  const timestamp = isoTimestamp(clock.wallTime())
  const channels = topics.filter(isChannelTopic).map(nameInTopic)
  const isPrivate = channels.length < topics.length
  return new OutgoingEvent(n, id, {
    type: 'gap',
    id,
    timestamp,
    date: timestamp,
    channels,
    private: isPrivate,
    // Clients of Channelstream 0.7.1 read `message` of every event: without it, one exception loses a whole poll.
    message: { action: 'gap' },
    catchup: true,
  })
}

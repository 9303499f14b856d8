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

/** Where catching up begins. */
export interface CatchUpStart {
  /** The number of the last event that the client has. */
  readonly after: number
  /** The client's cursor belongs to an epoch that the store no longer has. */
  readonly epochLost: boolean
  /** The client has opened the connection before, or sent a cursor. Only returning clients get a `gap`. */
  readonly returning: boolean
}

/** `known`: the number of the last event that any server sent. `named`: the cursor that the client sent. */
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

/** The topics of a connection. Of live events, only those after `after` are for it. */
export function topicsToSubscribe({ user, channels }: Attachment): Since[] {
  return [
    { topic: userTopic(user), after: 0 },
    ...channels.map(({ name, since }) => ({ topic: channelTopic(name), after: since })),
  ]
}

/** What to read for catching up. A channel joined while a client had the connection open starts at the join. */
export function topicsToRead({ user, channels }: Attachment, { after }: CatchUpStart): Since[] {
  return [
    { topic: userTopic(user), after },
    ...channels.map(({ name, since }) => ({
      topic: channelTopic(name),
      after: Math.max(after, since),
    })),
  ]
}

/** Returns the missed events that the client may see, after a `gap` if some are lost. */
export function lateEvents(
  deps: CatchUpDeps,
  attachment: Attachment,
  start: CatchUpStart,
  missed: Missed,
): OutgoingEvent[] {
  const events = missed.events.filter((event) => maySee(attachment.user, event)).map(lateEvent)
  const isAhead = start.after > missed.head
  const everything = start.epochLost || isAhead
  const lost = everything
    ? topicsToRead(attachment, start).map(({ topic }) => topic)
    : gapsIn(missed)
  if (!start.returning || lost.length === 0) return events
  const n = (events[0]?.n ?? missed.head + 1) - 1
  return [gapEvent(deps, n, lost), ...events]
}

/** Topics with a gap. If not everything was read, a gap that reaches further is left for the part that it ends in. */
const gapsIn = ({ gaps, lost, head, through }: Missed): readonly Topic[] =>
  through < head ? gaps.filter((topic) => (lost.get(topic) ?? 0) <= through) : gaps

/** What was read for a client that attaches, and the live events that waited at the gate. */
export interface CatchUp {
  readonly attachment: Attachment
  readonly start: CatchUpStart
  readonly missed: Missed
  readonly gate: readonly OutgoingEvent[]
}

/** Returns what the client gets when its gate opens, in the order of event numbers. */
export function eventsToSend(
  deps: CatchUpDeps,
  { attachment, start, missed, gate }: CatchUp,
): OutgoingEvent[] {
  const late = lateEvents(deps, attachment, start, missed)
  const read = new Set(missed.events.map(({ n }) => n))
  // The cursor of a client may be ahead of the newest event.
  const after = Math.min(start.after, missed.head)
  const last = missed.through < missed.head ? missed.through : Infinity
  const lastLate = late.at(-1)?.n ?? 0
  const announced = gate
    .filter(({ n }) => n > after && n <= last && !read.has(n))
    // Some events are only announced and cannot be read: their numbers may be lower than those of late events.
    .map((event) => (event.n < lastLate ? asLateEvent(event) : event))
  return sortedByNumber(late, announced)
}

/** Sorts by number. Where numbers are equal, as with a gap and the event after it, the given order is kept. */
export const sortedByNumber = (...lists: (readonly OutgoingEvent[])[]): OutgoingEvent[] =>
  lists.flat().sort((one, other) => one.n - other.n)

/** An event that says: events on these topics, up to the number `n`, may be lost. */
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
    // Clients of Channelstream 0.7.1 read `message` of every event. Without it they throw, and lose the whole poll.
    message: { action: 'gap' },
    catchup: true,
  })
}

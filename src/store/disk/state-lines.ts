import type { Channel, User } from '../memory/records.ts'
import type { MemoryStore } from '../memory/store.ts'
import type { StoredEvent } from '../store.ts'
import type { Line, LineWriter } from './lines.ts'
import type { RecordLines } from './record-lines.ts'

/** Messages and webhook events that are read at a time. */
const PART = 200

/** What has lines of its own beside the memory store. */
export interface LineSource {
  lines(): Iterable<Line>
}

/**
 * Writes everything, in small steps: the caller may pause after each. What changes meanwhile may be written as it was
 * before or after the change.
 */
export function* writeState(
  memory: Pick<MemoryStore, 'tables' | 'webhookQueue'>,
  records: RecordLines,
  sources: readonly LineSource[],
  lines: LineWriter,
): Generator<void, void> {
  const { tables } = memory
  lines.add(records.facts())
  for (const user of tables.users.values()) {
    lines.add(records.user(user))
    lines.add(records.userActivity(user))
    yield
  }
  for (const channel of tables.channels.values()) yield* writeChannel(channel, records, lines)
  yield* writePrivateEvents(tables.users, records, lines)
  for (const connection of tables.connections.values()) {
    lines.add(records.connection(connection))
    yield
  }
  for (const source of sources)
    for (const line of source.lines()) {
      lines.add(line)
      yield
    }
  yield* writeQueue(memory, records, lines)
}

function* writeChannel(
  channel: Channel,
  records: RecordLines,
  lines: LineWriter,
): Generator<void, void> {
  lines.add(records.channel(channel))
  lines.add(records.channelActivity(channel))
  yield
  for (const [who] of channel.floors.entries()) {
    lines.add(records.floor(channel, who))
    yield
  }
  for (let after = 0, isMore = true; isMore;) {
    const part = channel.history.part({ after, isBackward: false, most: PART }, -Infinity)
    for (const { n } of part.events) {
      records.event(channel, n, lines)
      yield
    }
    after = part.events.at(-1)?.n ?? after
    isMore = part.isMore
  }
  for (const { n } of channel.frames.after(0)) {
    if (channel.history.entry(n)) continue
    if (channel.frames.entry(n)) records.event(channel, n, lines)
    yield
  }
}

function* writePrivateEvents(
  users: ReadonlyMap<string, User>,
  records: RecordLines,
  lines: LineWriter,
): Generator<void, void> {
  const written = new Set<StoredEvent>()
  for (const user of users.values())
    for (const event of user.frames.after(0)) {
      if (written.has(event)) continue
      const receivers = event.delivery.pmUsers.flatMap((name) => users.get(name) ?? [])
      const holders = new Set([...receivers, user])
      const same = [...holders].filter(({ frames }) => frames.entry(event.n)?.event === event)
      if (same.length > 0) records.privateEvent(event.n, same, lines)
      written.add(event)
      yield
    }
}

function* writeQueue(
  { webhookQueue: queue }: Pick<MemoryStore, 'webhookQueue'>,
  records: RecordLines,
  lines: LineWriter,
): Generator<void, void> {
  if (!queue) return
  for (const id of queue.endpointIds()) {
    const line = records.endpoint(id)
    if (line) lines.add(line)
  }
  for (let part = queue.queuedAfter(0, PART); part.length > 0;) {
    for (const { n, subject, text } of part) {
      lines.add(['w', n, subject, text])
      yield
    }
    part = queue.queuedAfter(part.at(-1)?.n ?? 0, PART)
  }
  lines.add(records.oldestQueued())
}

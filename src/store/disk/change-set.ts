import { User } from '../memory/records.ts'
import type { Changes } from '../memory/changes.ts'
import type { Channel, Connection } from '../memory/records.ts'
import type { QueuedEvent } from '../webhook-queue.ts'
import type { Line, LineWriter } from './lines.ts'
import type { RecordLines } from './record-lines.ts'

/** Tells if the turn has used up its time. */
export type IsOver = () => boolean

/**
 * What has changed in memory and is not yet written. Notes records, and writes them as they are at the time of writing:
 * a record that changes often is written once.
 *
 * Until `write` returns true, lines of one call may be written and others not.
 */
export class ChangeSet implements Changes {
  /** Lines that are written as they are, in order. */
  #lines: Line[] = []
  readonly #users = new Set<User>()
  readonly #activeUsers = new Set<User>()
  readonly #connections = new Set<Connection>()
  readonly #positions = new Set<Connection>()
  readonly #channels = new Set<Channel>()
  readonly #activeChannels = new Set<Channel>()
  readonly #floors = new Map<Channel, Set<string>>()
  readonly #events = new Map<Channel, Set<number>>()
  readonly #privateEvents = new Map<number, Set<User>>()
  readonly #endpoints = new Set<string>()
  #hasQueued = false
  #isEmpty = true

  /** `onChange`: called with the first change after everything was written. */
  constructor(private readonly onChange: () => void) {}

  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Writes a line of something that is not in the memory store. */
  line(line: Line): void {
    this.#lines.push(line)
    this.#changed()
  }

  user(user: User): void {
    this.#users.add(user)
    this.userActivity(user)
  }

  userActivity(user: User): void {
    this.#activeUsers.add(user)
    this.#changed()
  }

  userRemoved(user: User): void {
    this.#users.delete(user)
    this.#activeUsers.delete(user)
    this.line(['-u', user.name])
  }

  connection(connection: Connection): void {
    this.#connections.add(connection)
    this.#changed()
  }

  position(connection: Connection): void {
    this.#positions.add(connection)
    this.#changed()
  }

  connectionRemoved(connection: Connection): void {
    this.#connections.delete(connection)
    this.#positions.delete(connection)
    this.line(['-n', connection.id])
  }

  channel(channel: Channel): void {
    this.#channels.add(channel)
    this.channelActivity(channel)
  }

  channelActivity(channel: Channel): void {
    this.#activeChannels.add(channel)
    this.#changed()
  }

  channelRemoved(channel: Channel): void {
    for (const noted of [this.#channels, this.#activeChannels, this.#floors, this.#events])
      noted.delete(channel)
    this.line(['-c', channel.name])
  }

  floor(channel: Channel, who: string): void {
    const floors = setIn(this.#floors, channel)
    // The last removal comes last.
    floors.delete(who)
    floors.add(who)
    this.#changed()
  }

  event(holder: Channel | User, n: number): void {
    if (holder instanceof User) setIn(this.#privateEvents, n).add(holder)
    else setIn(this.#events, holder).add(n)
    this.#changed()
  }

  queued({ n, subject, text }: QueuedEvent): void {
    this.#hasQueued = true
    this.line(['w', n, subject, text])
  }

  endpoint(id: string): void {
    this.#endpoints.add(id)
    this.#hasQueued = true
    this.#changed()
  }

  /** Writes what has changed, until the time is over. Returns true if nothing is left. */
  write(records: RecordLines, lines: LineWriter, isOver: IsOver): boolean {
    const each = <Item>(items: Set<Item>, write: (item: Item) => void): boolean =>
      drained(items, isOver, write)
    const isDone =
      this.#writeLines(lines, isOver) &&
      each(this.#users, (user) => lines.add(records.user(user))) &&
      each(this.#activeUsers, (user) => lines.add(records.userActivity(user))) &&
      each(this.#channels, (channel) => lines.add(records.channel(channel))) &&
      each(this.#activeChannels, (channel) => lines.add(records.channelActivity(channel))) &&
      this.#writeFloors(records, lines, isOver) &&
      this.#writeEvents(records, lines, isOver) &&
      each(this.#connections, (connection) => lines.add(records.connection(connection))) &&
      each(this.#positions, (connection) => lines.add(records.position(connection))) &&
      each(this.#endpoints, (id) => addIfAny(lines, records.endpoint(id)))
    if (!isDone) return false
    if (this.#hasQueued) lines.add(records.oldestQueued())
    this.#hasQueued = false
    lines.add(records.facts())
    this.#isEmpty = true
    return true
  }

  #changed(): void {
    if (!this.#isEmpty) return
    this.#isEmpty = false
    this.onChange()
  }

  #writeLines(lines: LineWriter, isOver: IsOver): boolean {
    let done = 0
    while (done < this.#lines.length && !isOver()) lines.add(this.#lines[done++] as Line)
    this.#lines = done === this.#lines.length ? [] : this.#lines.slice(done)
    return this.#lines.length === 0
  }

  #writeFloors(records: RecordLines, lines: LineWriter, isOver: IsOver): boolean {
    return drainedIn(this.#floors, isOver, (channel, who) => {
      lines.add(records.floor(channel, who))
    })
  }

  #writeEvents(records: RecordLines, lines: LineWriter, isOver: IsOver): boolean {
    const areWritten = drainedIn(this.#events, isOver, (channel, n) => {
      records.event(channel, n, lines)
    })
    if (!areWritten) return false
    for (const [n, users] of this.#privateEvents) {
      if (isOver()) return false
      this.#privateEvents.delete(n)
      // Another user may have the name of one who was removed.
      const { tables } = records
      const known = [...users].filter((user) => tables.users.get(user.name) === user)
      records.privateEvent(n, known, lines)
    }
    return true
  }
}

function setIn<Key, Item>(sets: Map<Key, Set<Item>>, key: Key): Set<Item> {
  let items = sets.get(key)
  if (!items) sets.set(key, (items = new Set()))
  return items
}

/** Takes items out until the time is over. Returns true if all are out. */
function drained<Item>(items: Set<Item>, isOver: IsOver, take: (item: Item) => void): boolean {
  for (const item of items) {
    if (isOver()) return false
    items.delete(item)
    take(item)
  }
  return true
}

function drainedIn<Key, Item>(
  sets: Map<Key, Set<Item>>,
  isOver: IsOver,
  take: (key: Key, item: Item) => void,
): boolean {
  for (const [key, items] of sets) {
    if (!drained(items, isOver, (item) => take(key, item))) return false
    sets.delete(key)
  }
  return true
}

function addIfAny(lines: LineWriter, line: Line | undefined): void {
  if (line) lines.add(line)
}

import { EventInText } from './event-in-text.ts'
import {
  DIFFERS,
  IN_FRAMES,
  IN_HISTORY,
  NEVER_OPENED,
  OPENED,
  STREAMING,
  eventLine,
  keptDelivery,
} from './lines.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { KeptEvent } from '../memory/history.ts'
import type { Channel, Connection, User } from '../memory/records.ts'
import type { MemoryStore } from '../memory/store.ts'
import type { Tables } from '../memory/tables.ts'
import type { StoredEvent } from '../store.ts'
import type { Line, LineWriter } from './lines.ts'
import type { StoreTime } from './store-time.ts'

/** Writes records of a memory store as lines. */
export class RecordLines {
  constructor(
    private readonly memory: Pick<MemoryStore, 'tables' | 'publishing' | 'webhookQueue'>,
    readonly time: StoreTime,
    /** The number of the newest webhook event of the life before. */
    private readonly formerlyQueued: number,
  ) {}

  get tables(): Tables {
    return this.memory.tables
  }

  facts(): Line {
    const { tables, publishing, webhookQueue } = this.memory
    const { head, forgottenThrough } = tables.log
    const { messages, deliveries } = publishing
    // Without webhooks, one number represents all events that endpoints miss: if they come back, they get a `resync`.
    const newestQueued = webhookQueue?.newest ?? this.formerlyQueued + 1
    const times = { now: this.time.now(), wallTime: tables.clock.wallTime() }
    return ['m', { head, forgottenThrough, messages, deliveries, newestQueued, ...times }]
  }

  user({ name, uuid, state, publicKeys }: User): Line {
    return ['u', name, uuid, state, publicKeys]
  }

  userActivity(user: User): Line {
    return ['v', user.name, user.frames.lostThrough, user.webhookSeq, this.#due(user)]
  }

  connection(connection: Connection): Line {
    const { id, user, cursor } = connection
    const since = [...connection.channels].flatMap(([{ name }, after]) => [name, after])
    return ['n', id, user.name, cursor, openedOf(connection), ...since]
  }

  position(connection: Connection): Line {
    return ['d', connection.id, connection.cursor, openedOf(connection)]
  }

  channel({ name, uuid, settings, made }: Channel): Line {
    return ['c', name, uuid, settings, made.at, made.ordinal]
  }

  channelActivity(channel: Channel): Line {
    const { name, lastActive, frames, history, webhookSeq } = channel
    const oldest = history.oldest ?? null
    return ['t', name, lastActive, frames.lostThrough, oldest, webhookSeq, this.#due(channel)]
  }

  floor(channel: Channel, who: string): Line {
    const floor = channel.floors.get(who)
    if (floor === undefined) return ['-f', channel.name, who]
    return ['f', channel.name, who, floor === Infinity ? null : floor]
  }

  /** Writes the event of a channel with this number as it is now: perhaps different ones in history and frames. */
  event(channel: Channel, n: number, lines: LineWriter): void {
    const shown = channel.history.entry(n)
    const replayed = channel.frames.entry(n)
    if (!shown && !replayed) lines.add(['-e', channel.name, n])
    else if (shown && shown.event === replayed?.event)
      this.#event(channel, shown, IN_HISTORY | IN_FRAMES, lines)
    else {
      const differs = shown && replayed ? DIFFERS : 0
      if (shown) this.#event(channel, shown, IN_HISTORY | differs, lines)
      if (replayed) this.#event(channel, replayed, IN_FRAMES | differs, lines)
    }
  }

  /** Writes the private event with this number of these users, once for all who have the same. */
  privateEvent(n: number, users: Iterable<User>, lines: LineWriter): void {
    const holders = new Map<StoredEvent | undefined, UserName[]>()
    for (const user of users) {
      const event = user.frames.entry(n)?.event
      const names = holders.get(event)
      if (names) names.push(user.name)
      else holders.set(event, [user.name])
    }
    for (const [event, names] of holders) {
      if (!event) lines.add(['-p', n, names])
      // The users are the receivers: to list them once is enough.
      else lines.add(['p', n, names, event.body, keptDelivery({ ...event.delivery, pmUsers: [] })])
    }
  }

  endpoint(id: string): Line | undefined {
    const endpoint = this.memory.webhookQueue?.keptEndpoint(id)
    if (!endpoint) return undefined
    const { at, resync, untoldDrops, dropped, status } = endpoint
    return ['W', id, at, resync ?? null, untoldDrops, dropped, status ?? null]
  }

  oldestQueued(): Line {
    return ['k', this.memory.webhookQueue?.oldest ?? 0]
  }

  #event({ name }: Channel, { event, at }: KeptEvent, where: number, lines: LineWriter): void {
    const time = this.time.of(at)
    const text = event instanceof EventInText ? event.text : undefined
    if (text !== undefined) return lines.addText(eventLine([name, event.n, time, where], text))
    const { n, body, delivery } = event
    lines.add(['e', name, n, time, where, body, keptDelivery(delivery)])
  }

  #due(record: User | Channel): number | null {
    const timeLeft = this.memory.tables.expiry.timeLeft(record)
    return timeLeft === undefined ? null : this.time.now() + timeLeft
  }
}

const openedOf = ({ returning, attached }: Connection): number => {
  if (attached === 'stream') return STREAMING
  return returning ? OPENED : NEVER_OPENED
}

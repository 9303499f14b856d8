import { formatCursor } from '../../protocol/ids.ts'
import { EventList } from './event-list.ts'
import { DIFFERS, IN_FRAMES, IN_HISTORY, OPENED, STREAMING, deliveryOf } from './lines.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { CachedAnswer } from '../idempotency-cache.ts'
import type { KeptEndpoint } from '../memory/webhook-queue.ts'
import type { Delivery, EventBody, State, StoredEvent } from '../store.ts'
import type { QueuedEvent } from '../webhook-queue.ts'
import type { StartFacts } from './directory.ts'
import type { Line, LineOf, StoreFacts } from './lines.ts'

export interface UserImage {
  uuid: string
  state: State
  publicKeys: readonly string[]
  lostThrough: number
  webhookSeq: number
  due: number | null
  /** Private messages. Undefined: none, as of most users. */
  frames: Map<number, StoredEvent> | undefined
}

export interface ConnectionImage {
  readonly user: UserName
  cursor: number
  opened: number
  /** A client had a stream open at the end of the life before. */
  wasStreaming: boolean
  readonly since: readonly (ChannelName | number)[]
}

export interface ChannelImage {
  uuid: string
  settings: ChannelSettings
  readonly at: number
  readonly ordinal: number
  lastActive: number
  lostThrough: number
  oldest: number | null
  webhookSeq: number
  due: number | null
  readonly floors: Map<string, number>
  readonly history: EventList
  readonly frames: EventList
}

export interface AnswerImage {
  readonly fingerprint: string
  readonly answer: CachedAnswer
  readonly due: number
}

const NOTHING: StoreFacts = {
  head: 0,
  forgottenThrough: 0,
  messages: 0,
  deliveries: 0,
  newestQueued: 0,
  now: 0,
  wallTime: 0,
}

/** What data files say, line by line. */
export class Image {
  facts = NOTHING
  oldestQueued = 0
  /**
   * How much time the store's clock has not counted so far, in milliseconds: between the last commit of each life and the
   * next start. Times of events and ends of sessions are larger by what it was when they were read: they age by the
   * calendar.
   */
  downMs = 0
  readonly users = new Map<UserName, UserImage>()
  readonly connections = new Map<ConnId, ConnectionImage>()
  readonly channels = new Map<ChannelName, ChannelImage>()
  readonly queued = new Map<number, QueuedEvent>()
  readonly endpoints = new Map<string, KeptEndpoint>()
  readonly answers = new Map<string, AnswerImage>()
  readonly onceKeys = new Map<string, number>()
  readonly sessions = new Map<string, number>()

  constructor(readonly epoch: string) {}

  read(lines: readonly Line[]): void {
    for (const line of lines) READERS[line[0]](this, line as never)
  }

  /** Reads that a process had ended, and the server was started again. */
  restarted({ wallTime, lostThrough }: StartFacts): void {
    const { wallTime: lastWritten } = this.facts
    if (lastWritten > 0) this.downMs += Math.max(0, wallTime - lastWritten)
    this.facts = { ...this.facts, wallTime }
    for (const connection of this.connections.values()) {
      connection.wasStreaming = connection.opened === STREAMING
      if (!connection.wasStreaming) continue
      connection.opened = OPENED
      // What was written to the stream is not known. It is not repeated: see docs/decisions/0003.
      connection.cursor = Math.max(connection.cursor, this.facts.head)
    }
    if (lostThrough > 0) this.#lose(lostThrough)
  }

  /** All clients that come back get a gap, and each endpoint of webhooks gets a `resync`. */
  #lose(through: number): void {
    const { head, forgottenThrough } = this.facts
    this.facts = {
      ...this.facts,
      head: Math.max(head, through),
      forgottenThrough: Math.max(forgottenThrough, through),
    }
    for (const records of [this.users, this.channels])
      for (const record of records.values())
        record.lostThrough = Math.max(record.lostThrough, through)
    for (const [id, endpoint] of this.endpoints)
      this.endpoints.set(id, { ...endpoint, resync: endpoint.resync ?? 'restarted' })
  }

  /** Reads an event of a channel. `where`: history, replay buffer, or both. */
  event(name: ChannelName, event: StoredEvent, at: number, where: number): void {
    const channel = this.channels.get(name)
    if (!channel) return
    const { history, frames } = channel
    const isElsewhere = (where & DIFFERS) > 0
    if (where & IN_HISTORY) history.set(event, at + this.downMs)
    else if (!isElsewhere) history.delete(event.n)
    if (where & IN_FRAMES) frames.set(event, at + this.downMs)
    else if (!isElsewhere) frames.delete(event.n)
  }

  stored(n: number, body: EventBody, delivery: Delivery): StoredEvent {
    return { n, id: formatCursor({ epoch: this.epoch, n }), body, delivery }
  }
}

type Readers = { readonly [Kind in Line[0]]: (image: Image, line: LineOf<Kind>) => void }

const READERS: Readers = {
  m: (image, [, facts]) => void (image.facts = facts),
  u(image, [, name, uuid, state, publicKeys]) {
    const known = image.users.get(name)
    if (known) Object.assign(known, { uuid, state, publicKeys })
    else image.users.set(name, { uuid, state, publicKeys, ...NO_ACTIVITY, frames: undefined })
  },
  v(image, [, name, lostThrough, webhookSeq, due]) {
    const user = image.users.get(name)
    if (user) setActivity(user, lostThrough, webhookSeq, due)
  },
  '-u': (image, [, name]) => void image.users.delete(name),
  n: (image, [, id, user, cursor, opened, ...since]) =>
    void image.connections.set(id, { user, cursor, opened, wasStreaming: false, since }),
  d: (image, [, id, cursor, opened]) =>
    void Object.assign(image.connections.get(id) ?? {}, { cursor, opened }),
  '-n': (image, [, id]) => void image.connections.delete(id),
  c(image, [, name, uuid, settings, at, ordinal]) {
    const known = image.channels.get(name)
    if (known) Object.assign(known, { uuid, settings, at, ordinal })
    else
      image.channels.set(name, {
        ...{ uuid, settings, at, ordinal, lastActive: at, oldest: null },
        ...NO_ACTIVITY,
        floors: new Map(),
        history: new EventList(),
        frames: new EventList(),
      })
  },
  t(image, [, name, lastActive, lostThrough, oldest, webhookSeq, due]) {
    const channel = image.channels.get(name)
    if (!channel) return
    channel.lastActive = lastActive
    channel.oldest = oldest
    setActivity(channel, lostThrough, webhookSeq, due)
  },
  '-c': (image, [, name]) => void image.channels.delete(name),
  f(image, [, name, who, floor]) {
    const floors = image.channels.get(name)?.floors
    if (floors) setLast(floors, who, floor ?? Infinity)
  },
  '-f': (image, [, name, who]) => void image.channels.get(name)?.floors.delete(who),
  e: (image, [, name, n, at, where, body, kept]) =>
    image.event(name, image.stored(n, body, deliveryOf(kept)), at, where),
  '-e'(image, [, name, n]) {
    image.channels.get(name)?.history.delete(n)
    image.channels.get(name)?.frames.delete(n)
  },
  p(image, [, n, users, body, kept]) {
    const event = image.stored(n, body, { ...deliveryOf(kept), pmUsers: users })
    for (const name of users) {
      const user = image.users.get(name)
      if (user) (user.frames ??= new Map()).set(n, event)
    }
  },
  '-p'(image, [, n, users]) {
    for (const name of users) image.users.get(name)?.frames?.delete(n)
  },
  w: (image, [, n, subject, text]) => void image.queued.set(n, { n, subject, text }),
  k: (image, [, oldest]) => void (image.oldestQueued = oldest),
  W(image, [, id, at, resync, untoldDrops, dropped, status]) {
    const [why, known] = [resync ?? undefined, status ?? undefined]
    image.endpoints.set(id, { at, resync: why, untoldDrops, dropped, status: known })
  },
  i(image, [, key, fingerprint, status, text, error, due]) {
    const answer = { status, text, ...(error !== null && { error }) }
    setLast(image.answers, key, { fingerprint, answer, due })
  },
  o: (image, [, key, due]) => setLast(image.onceKeys, key, due),
  s: (image, [, name, due]) => setLast(image.sessions, name, due + image.downMs),
  '-s': (image, [, name]) => void image.sessions.delete(name),
}

interface Activity {
  lostThrough: number
  webhookSeq: number
  due: number | null
}
const NO_ACTIVITY: Readonly<Activity> = { lostThrough: 0, webhookSeq: 0, due: null }

function setActivity(
  record: Activity,
  lostThrough: number,
  webhookSeq: number,
  due: number | null,
): void {
  record.lostThrough = lostThrough
  record.webhookSeq = webhookSeq
  record.due = due
}

/** Sets it as the newest entry. */
function setLast<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
}

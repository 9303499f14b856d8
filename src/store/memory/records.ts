/** The records of the memory store. They change in place; callers of the store get snapshots. */
import { appended } from '../../lib/short-list.ts'
import { channelTopic, userTopic } from '../store.ts'
import { Floors } from './floors.ts'
import { History } from './history.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import { NO_KEYS, NO_STATE, publicPart } from './state.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type {
  ChannelCounts,
  ChannelRecord,
  ChannelSummary,
  Include,
  SinkKind,
  State,
  StoredEvent,
  Topic,
  UserCard,
  UserRecord,
  UserSummary,
} from '../store.ts'

export class User {
  #state: State = NO_STATE
  #publicKeys: readonly string[] = NO_KEYS
  /** Cached: a user may be listed in thousands of events. */
  #card: UserCard | undefined
  #connections: Connection[] = []
  /** The number of channels that it is in, with any connection. */
  channels = 0
  readonly topic: Topic
  webhookSeq = 0
  /** Private messages. */
  readonly frames: ReplayBuffer

  constructor(
    readonly name: UserName,
    lostThrough: number,
    readonly uuid: string = crypto.randomUUID(),
  ) {
    this.topic = userTopic(name)
    this.frames = new ReplayBuffer(lostThrough)
  }

  get state(): State {
    return this.#state
  }

  set state(state: State) {
    this.#state = state
    this.#card = undefined
  }

  get publicKeys(): readonly string[] {
    return this.#publicKeys
  }

  set publicKeys(keys: readonly string[]) {
    this.#publicKeys = keys
    this.#card = undefined
  }

  /** In no particular order. */
  get connections(): readonly Connection[] {
    return this.#connections
  }

  add(connection: Connection): void {
    connection.place = this.connections.length
    this.#connections = appended(this.#connections, connection)
  }

  /** Takes constant time: the last entry fills the hole. */
  remove({ place }: Connection): void {
    const last = this.#connections.pop()
    if (!last || last.place === place) return
    this.#connections[place] = last
    last.place = place
  }

  get publicState(): State {
    return this.publicKeys.length === 0 ? NO_STATE : this.card().state
  }

  card(): UserCard {
    return (this.#card ??= { user: this.name, state: publicPart(this.state, this.publicKeys) })
  }

  record(): UserRecord {
    const { name, uuid, state, publicKeys, publicState } = this
    return { name, uuid, state, publicState, publicKeys }
  }

  recordWithConnections(): UserRecord {
    return { ...this.record(), connections: this.connections.map(({ id }) => id) }
  }

  summary(): UserSummary {
    return { name: this.name, connections: this.connections.length }
  }
}

export class Connection {
  /**
   * Each with the event number after which catching up may start: the newest event at the join, or the channel's floor
   * if no client had opened the connection before the join.
   */
  readonly channels = new Map<Channel, number>()
  /** A client has opened it before. */
  returning = false
  /** What a client has it open with. */
  attached: SinkKind | false = false
  /** Its index in the list of its user. */
  place = 0

  constructor(
    readonly id: ConnId,
    readonly user: User,
    /** The number of the last event sent to the client. */
    public cursor: number,
  ) {}
}

/** When a channel was created. */
export interface ChannelOrigin {
  /** Wall time in milliseconds since 1970. */
  readonly at: number
  /** Grows with each channel. Events in several channels are announced in the order of channel creation. */
  readonly ordinal: number
  /** Events up to this number may have been lost before. */
  readonly lostThrough: number
  /** See `StoreLimits`. */
  readonly longHistory: number | undefined
  /** Of a channel that is put back. A new one gets a new one. */
  readonly uuid?: string
}

export class Channel {
  readonly uuid: string
  /** The number of connections of each user. */
  readonly members = new Map<UserName, { readonly user: User; count: number }>()
  connections = 0
  /** Wall time in milliseconds since 1970. */
  lastActive: number
  readonly topic: Topic
  readonly frames: ReplayBuffer
  readonly floors = new Floors()
  readonly history: History
  webhookSeq = 0

  constructor(
    readonly name: ChannelName,
    public settings: ChannelSettings,
    readonly made: ChannelOrigin,
  ) {
    this.uuid = made.uuid ?? crypto.randomUUID()
    this.topic = channelTopic(name)
    this.frames = new ReplayBuffer(made.lostThrough)
    this.history = new History(made.longHistory)
    this.lastActive = made.at
  }

  /** Returns true if this is the user's first connection in the channel. */
  add(user: User): boolean {
    this.connections++
    const member = this.members.get(user.name)
    if (member) member.count++
    else this.members.set(user.name, { user, count: 1 })
    return member === undefined
  }

  /** Returns true if it was the user's last connection in the channel. */
  remove(user: User): boolean {
    this.connections--
    const member = this.members.get(user.name)
    if (!member || --member.count > 0) return false
    return this.members.delete(user.name)
  }

  connectionsOf(user: UserName): number {
    return this.members.get(user)?.count ?? 0
  }

  /** When what was published before is too old: `history_ttl` ago. */
  expiredAt(now: number): number {
    const { history_ttl: ttl } = this.settings
    return ttl > 0 ? now - ttl * 1000 : -Infinity
  }

  /** When the oldest message or frame was published. Undefined: there is none. */
  get oldestAt(): number | undefined {
    const oldest = Math.min(this.history.oldestAt ?? Infinity, this.frames.oldestAt ?? Infinity)
    return oldest === Infinity ? undefined : oldest
  }

  /** Removes what is too old, at most `most` messages. */
  dropExpired(now: number, most: number): void {
    const expired = this.expiredAt(now)
    this.history.dropUntil(expired, most)
    this.frames.dropUntil(expired)
  }

  keep(event: StoredEvent, at: number): void {
    if (!this.settings.store_history || event.delivery.noHistory) return
    this.history.push(event, at)
    this.trimHistory()
  }

  trimHistory(): void {
    this.history.trimTo(this.settings.history_size)
  }

  record(include: Include, now: number): ChannelRecord {
    const { name, uuid, settings, lastActive, connections } = this
    const users = include.users ? [...this.members.keys()] : []
    const userCount = include.userCount ? { userCount: this.members.size } : {}
    const head = { name, uuid, settings, lastActive, connections, users }
    const record = { ...head, history: [], ...userCount }
    if (include.history === false) return record
    const most = include.history === true ? Infinity : include.history
    return { ...record, ...this.history.newest(most, this.expiredAt(now)) }
  }

  counts(): ChannelCounts {
    const { name, connections, members } = this
    return { name, connections, users: members.size }
  }

  summary(): ChannelSummary {
    const { name, connections, members, history, lastActive } = this
    return { name, connections, users: members.size, history: history.size, lastActive }
  }
}

export const byCreation = (one: Channel, other: Channel): number =>
  one.made.ordinal - other.made.ordinal

/** What the memory store holds. Changed in place by `memory.ts`; snapshots are handed out. */
import { publicPart } from './state.ts'
import { Ring } from '../ring.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { ChannelRecord, State, StoredEvent, UserCard, UserRecord } from '../store.ts'

export class User {
  readonly uuid = crypto.randomUUID()
  state: State = NO_STATE
  publicKeys: readonly string[] = NO_KEYS
  readonly connections = new Set<Connection>()
  /** Private messages. */
  readonly frames: Ring

  constructor(
    readonly name: UserName,
    lostThrough: number,
  ) {
    this.frames = new Ring(lostThrough)
  }

  get publicState(): State {
    return publicPart(this.state, this.publicKeys)
  }

  card(): UserCard {
    return { user: this.name, state: this.publicState }
  }

  record(): UserRecord {
    const { name, uuid, state, publicKeys, publicState } = this
    return { name, uuid, state, publicState, publicKeys }
  }

  recordWithConnections(): UserRecord {
    return { ...this.record(), connections: [...this.connections].map(({ id }) => id) }
  }
}

export class Connection {
  readonly channels = new Map<Channel, { readonly since: number }>()
  /** A client had opened it. */
  returning = false
  /** A client has it open. */
  attached = false

  constructor(
    readonly id: ConnId,
    readonly user: User,
    /** The number of the last event that the client was sent. */
    public cursor: number,
  ) {}
}

/** When a channel was made. */
export interface ChannelOrigin {
  /** Wall time in milliseconds since 1970. */
  readonly at: number
  /** Grows with each channel: events of several channels come in the order of their creation. */
  readonly ordinal: number
  /** Events up to this number may have been forgotten before. */
  readonly lostThrough: number
}

export class Channel {
  readonly uuid = crypto.randomUUID()
  /** Connections of each user, by number. */
  readonly members = new Map<UserName, { readonly user: User; count: number }>()
  connections = 0
  /** Wall time in milliseconds since 1970. */
  lastActive: number
  readonly frames: Ring
  history: StoredEvent[] = []

  constructor(
    readonly name: ChannelName,
    public settings: ChannelSettings,
    readonly made: ChannelOrigin,
  ) {
    this.frames = new Ring(made.lostThrough)
    this.lastActive = made.at
  }

  /** True if this is the user's first connection in the channel. */
  add(user: User): boolean {
    this.connections++
    const member = this.members.get(user.name)
    if (member) member.count++
    else this.members.set(user.name, { user, count: 1 })
    return member === undefined
  }

  /** True if it was the user's last connection in the channel. */
  remove(user: User): boolean {
    this.connections--
    const member = this.members.get(user.name)
    if (!member || --member.count > 0) return false
    return this.members.delete(user.name)
  }

  connectionsOf(user: UserName): number {
    return this.members.get(user)?.count ?? 0
  }

  keep(event: StoredEvent): void {
    if (!this.settings.store_history || event.delivery.noHistory) return
    this.history.push(event)
    this.trimHistory()
  }

  trimHistory(): void {
    const tooMany = this.history.length - this.settings.history_size
    if (tooMany > 0) this.history.splice(0, tooMany)
  }

  record(include: { readonly users: boolean; readonly history: boolean }): ChannelRecord {
    const { name, uuid, settings, lastActive, connections } = this
    const users = include.users ? [...this.members.keys()] : []
    const history = include.history ? [...this.history] : []
    return { name, uuid, settings, lastActive, connections, users, history }
  }
}

const NO_STATE: State = Object.freeze({})
const NO_KEYS: readonly string[] = Object.freeze([])

export const byCreation = (one: Channel, other: Channel): number =>
  one.made.ordinal - other.made.ordinal

import { ExpiryBuckets } from './expiry-buckets.ts'
import { User } from './records.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ConnId } from '../../protocol/ids.ts'
import type { StoreLimits } from '../store.ts'
import type { Changes } from './changes.ts'
import type { Channel, Connection } from './records.ts'

/**
 * Deadlines of connections without a client, users without connections, channels without members, and of what channels
 * keep for a limited time.
 */
export class Expiry {
  readonly #connections: ExpiryBuckets<Connection>
  readonly #users: ExpiryBuckets<User>
  readonly #channels: ExpiryBuckets<Channel>
  readonly #contents: ExpiryBuckets<Channel>

  constructor(
    private readonly clock: Clock,
    private readonly limits: Pick<StoreLimits, 'gcUsersMs' | 'gcChannelsMs'>,
    private readonly changes?: Changes,
  ) {
    const now = clock.now()
    this.#connections = new ExpiryBuckets(now)
    this.#users = new ExpiryBuckets(now)
    this.#channels = new ExpiryBuckets(now)
    this.#contents = new ExpiryBuckets(now)
  }

  /** Makes a connection without a client due in `waitMs`. */
  connectionWaits(connection: Connection, waitMs: number): void {
    this.#connections.set(connection, this.clock.now() + waitMs)
  }

  isConnectionDue(connection: Connection): boolean {
    return this.#connections.isDue(connection, this.clock.now())
  }

  connectionServed(connection: Connection): void {
    this.#connections.clear(connection)
  }

  /** Must be called when a user's connections change, and on activity. */
  userChanged(user: User): void {
    if (user.connections.length > 0) return this.#users.clear(user)
    this.#users.set(user, this.clock.now() + this.limits.gcUsersMs)
    this.changes?.userActivity(user)
  }

  /** Must be called when a channel's members change, and on activity. */
  channelChanged(channel: Channel): void {
    if (channel.connections > 0) return this.#channels.clear(channel)
    this.#channels.set(channel, this.clock.now() + this.limits.gcChannelsMs)
    this.changes?.channelActivity(channel)
  }

  /** Returns how long a user without connections or a channel without members has left. Undefined: it has some. */
  timeLeft(record: User | Channel): number | undefined {
    const at =
      record instanceof User ? this.#users.deadline(record) : this.#channels.deadline(record)
    return at === undefined ? undefined : at - this.clock.now()
  }

  /** Sets the deadline of a user without connections or a channel without members. */
  restore(record: User | Channel, timeLeft: number): void {
    const at = this.clock.now() + timeLeft
    if (record instanceof User) this.#users.set(record, at)
    else this.#channels.set(record, at)
  }

  /** Must be called when something is published in a channel. */
  contentAdded(channel: Channel, at: number): void {
    const { history_ttl: ttl } = channel.settings
    if (ttl > 0 && !this.#contents.has(channel)) this.#contents.set(channel, at + ttl * 1000)
  }

  /** Must be called when `history_ttl` may have changed, and when some content was removed because it is old. */
  contentChanged(channel: Channel): void {
    this.#contents.clear(channel)
    if (channel.oldestAt !== undefined) this.contentAdded(channel, channel.oldestAt)
  }

  channelRemoved(channel: Channel): void {
    this.#contents.clear(channel)
  }

  /** Returns what is due. Connections that the caller does not drop become due again. */
  due(): { connections: ConnId[]; users: User[]; channels: Channel[]; contents: Channel[] } {
    const now = this.clock.now()
    const connections = this.#connections.due(now)
    for (const connection of connections) this.#connections.set(connection, now)
    return {
      connections: connections.map(({ id }) => id),
      users: this.#users.due(now),
      channels: this.#channels.due(now),
      contents: this.#contents.due(now),
    }
  }
}

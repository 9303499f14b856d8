import { ExpiryBuckets } from './expiry-buckets.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ConnId } from '../../protocol/ids.ts'
import type { StoreLimits } from '../store.ts'
import type { Channel, Connection, User } from './records.ts'

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
    if (user.connections.length > 0) this.#users.clear(user)
    else this.#users.set(user, this.clock.now() + this.limits.gcUsersMs)
  }

  /** Must be called when a channel's members change, and on activity. */
  channelChanged(channel: Channel): void {
    if (channel.connections > 0) this.#channels.clear(channel)
    else this.#channels.set(channel, this.clock.now() + this.limits.gcChannelsMs)
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

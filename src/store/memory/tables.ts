import { ChannelSettings } from '../../protocol/requests.ts'
import { Expiry } from './expiry.ts'
import { EventLog } from './log.ts'
import { Channel, Connection, User } from './records.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { StoreLimits } from '../store.ts'
import type { Changes } from './changes.ts'
import type { MemoryWebhookQueue } from './webhook-queue.ts'

const DEFAULT_SETTINGS: ChannelSettings = ChannelSettings.parse({})

/** Old messages removed per channel and sweep. The rest is not shown, and is removed by the next ones. */
const REMOVED_AT_ONCE = 5_000

interface TablesDeps {
  readonly epoch: string
  readonly webhooks: MemoryWebhookQueue | undefined
  readonly changes: Changes | undefined
}

/** All records of the memory store. Creates and removes them. */
export class Tables {
  readonly users = new Map<UserName, User>()
  readonly channels = new Map<ChannelName, Channel>()
  readonly connections = new Map<ConnId, Connection>()
  readonly log: EventLog
  readonly expiry: Expiry
  readonly webhooks: MemoryWebhookQueue | undefined
  readonly changes: Changes | undefined
  connectedUsers = 0
  #channelsMade = 0

  constructor(
    readonly clock: Clock,
    readonly options: StoreLimits,
    { epoch, webhooks, changes }: TablesDeps,
  ) {
    this.webhooks = webhooks
    this.changes = changes
    this.log = new EventLog(epoch, options, changes)
    this.expiry = new Expiry(clock, options, changes)
  }

  makeUser(name: UserName): User {
    const user = new User(name, this.log.forgottenThrough)
    this.users.set(name, user)
    this.changes?.user(user)
    return user
  }

  makeConnection(id: ConnId, user: User): Connection {
    const connection = new Connection(id, user, this.log.head)
    this.connections.set(id, connection)
    const isFirst = user.connections.length === 0
    user.add(connection)
    if (isFirst) {
      this.connectedUsers++
      this.webhooks?.tellUser('user_online', user)
    }
    this.expiry.userChanged(user)
    this.changes?.connection(connection)
    return connection
  }

  removeConnection(connection: Connection): void {
    const { id, user } = connection
    this.connections.delete(id)
    this.changes?.connectionRemoved(connection)
    user.remove(connection)
    if (user.connections.length === 0) {
      this.connectedUsers--
      this.webhooks?.tellUser('user_offline', user)
    }
    this.expiry.connectionServed(connection)
    this.expiry.userChanged(user)
  }

  /** Puts a channel back. */
  restoreChannel(channel: Channel): void {
    this.channels.set(channel.name, channel)
    this.#channelsMade = Math.max(this.#channelsMade, channel.made.ordinal)
  }

  /** Returns the channel. Creates it with these settings if it is unknown. */
  channel(name: ChannelName, settings: ChannelSettings = DEFAULT_SETTINGS): Channel {
    const known = this.channels.get(name)
    if (known) return known
    const made = {
      at: this.clock.wallTime(),
      ordinal: ++this.#channelsMade,
      lostThrough: this.log.forgottenThrough,
      longHistory: this.options.longHistory,
    }
    const channel = new Channel(name, settings, made)
    this.channels.set(name, channel)
    this.changes?.channel(channel)
    this.webhooks?.tellChannel('channel_created', channel)
    return channel
  }

  /** Removes users and channels that were idle for too long, and old content. Returns the connections that are due. */
  sweep(): ConnId[] {
    const due = this.expiry.due()
    for (const channel of due.contents) {
      channel.dropExpired(this.clock.now(), REMOVED_AT_ONCE)
      this.expiry.contentChanged(channel)
      this.changes?.channelActivity(channel)
    }
    for (const user of due.users) {
      this.users.delete(user.name)
      this.changes?.userRemoved(user)
      this.log.forget(user.frames)
    }
    for (const channel of due.channels) {
      this.channels.delete(channel.name)
      this.changes?.channelRemoved(channel)
      this.webhooks?.tellChannel('channel_collected', channel)
      this.expiry.channelRemoved(channel)
      this.log.forget(channel.frames)
    }
    return due.connections
  }
}

import { isoTimestamp } from '../../protocol/timestamps.ts'
import { presence } from '../change-events.ts'
import { TooManyChannels } from '../user-limits.ts'
import { byCreation } from './records.ts'
import { NO_KEYS, NO_STATE, changesOf, isTooLarge, withChanges } from './state.ts'
import type { ChannelName, ConnId } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { Present } from '../change-events.ts'
import type * as Contract from '../store.ts'
import type { ChannelLimit } from '../user-limits.ts'
import type { FloorListener } from './floors.ts'
import type { Publishing } from './publishing.ts'
import type { Channel, Connection, User } from './records.ts'
import type { Tables } from './tables.ts'

type Settings = ReadonlyMap<ChannelName, ChannelSettings>

/** Connections and their channels. Implements calls of the contract, see `../store.ts`. */
export class Membership {
  constructor(
    private readonly tables: Tables,
    private readonly publishing: Publishing,
    private readonly command: (command: Contract.Command) => void,
  ) {}

  connect(facts: Contract.ConnectFacts): Contract.Connected {
    const { tables } = this
    const known = tables.connections.get(facts.connId)
    if (known && known.user.name !== facts.user) return { outcome: 'taken' }
    const before = tables.users.get(facts.user)
    const start = before
      ? before.state
      : withChanges(NO_STATE, changesOf(NO_STATE, facts.freshState))
    const state = withChanges(start, changesOf(start, facts.state))
    if (isTooLarge(state, tables.options.maxStateBytes)) return { outcome: 'state-too-large' }
    const { maxConnections = 0, maxChannels = 0 } = facts
    if (!known && maxConnections > 0 && (before?.connections.length ?? 0) >= maxConnections)
      return { outcome: 'too-many-connections' }
    if (this.#exceeds(maxChannels, facts.channels, before)) return { outcome: 'too-many-channels' }

    const user = before ?? tables.makeUser(facts.user)
    user.state = state
    user.publicKeys = facts.publicKeys.length > 0 ? facts.publicKeys : NO_KEYS
    tables.changes?.user(user)
    const connection = known ?? tables.makeConnection(facts.connId, user)
    if (connection.attached === false) tables.expiry.connectionWaits(connection, facts.waitMs)
    this.#join(connection, facts.channels, facts.settings)
    return { outcome: 'connected', user: user.record() }
  }

  join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: Settings,
    limit?: ChannelLimit,
  ): Contract.Membership | undefined {
    const connection = this.tables.connections.get(connId)
    if (!connection) return undefined
    const { user } = connection
    const isLimited = limit && !limit.unlimited.includes(user.name)
    if (isLimited && this.#exceeds(limit.maxChannels, channels, user))
      throw new TooManyChannels(user.name)
    return membershipOf(connection, this.#join(connection, channels, settings))
  }

  leave(connId: ConnId, names: readonly ChannelName[]): Contract.Membership | undefined {
    const connection = this.tables.connections.get(connId)
    if (!connection) return undefined
    const channels = [...new Set(names)]
      .map((name) => this.tables.channels.get(name))
      .filter((channel) => channel !== undefined && connection.channels.has(channel)) as Channel[]
    const parted = channels.filter((channel) => this.#remove(connection, channel))
    if (channels.length > 0) this.tables.changes?.connection(connection)
    this.#command(connection, channels, { type: 'left' })
    this.#announcePresence(connection.user, parted, 'parted')
    return membershipOf(connection, channels)
  }

  drop(connId: ConnId, { onlyIfDue, reason }: Contract.DropOptions): boolean {
    const connection = this.tables.connections.get(connId)
    if (!connection) return false
    if (onlyIfDue && !this.tables.expiry.isConnectionDue(connection)) return false
    const channels = [...connection.channels.keys()].sort(byCreation)
    const parted = channels.filter((channel) => this.#leave(connection, channel))
    this.tables.removeConnection(connection)
    if (connection.attached !== false)
      this.command({ type: 'dropped', connId, ...(reason !== undefined && { reason }) })
    this.#announcePresence(connection.user, parted, 'parted')
    return true
  }

  attach(connId: ConnId, kind: Contract.SinkKind): Contract.Attachment | undefined {
    const connection = this.tables.connections.get(connId)
    if (!connection) return undefined
    this.tables.expiry.connectionServed(connection)
    const { returning, cursor, user } = connection
    const channels = [...connection.channels].map(([{ name }, since]) => ({ name, since }))
    connection.returning = true
    connection.attached = kind
    this.tables.changes?.position(connection)
    return { user: user.name, channels, cursor, returning }
  }

  detach(connId: ConnId, cursor: number, waitMs: number): void {
    const connection = this.tables.connections.get(connId)
    if (!connection) return
    connection.cursor = cursor
    connection.attached = false
    this.tables.changes?.position(connection)
    this.tables.expiry.connectionWaits(connection, waitMs)
  }

  /** Whether the user would be in more than `max` channels after joining these (0: no limit). */
  #exceeds(max: number, names: readonly ChannelName[], user: User | undefined): boolean {
    if (max === 0) return false
    const { channels } = this.tables
    const isIn = (name: ChannelName): boolean =>
      user !== undefined && channels.get(name)?.members.has(user.name) === true
    const added = [...new Set(names)].filter((name) => !isIn(name)).length
    return added > 0 && (user?.channels ?? 0) + added > max
  }

  /** Returns the channels that the connection was not in before. */
  #join(connection: Connection, names: readonly ChannelName[], settings: Settings): Channel[] {
    const wanted = new Set(names.map((name) => this.tables.channel(name, settings.get(name))))
    const channels = [...wanted].filter((channel) => !connection.channels.has(channel))
    const { head } = this.tables.log
    const joined = channels.filter((channel) => {
      const { user, id } = connection
      const floor = channel.floors.floorOnJoin(user.name, id, head, this.#floorListener(channel))
      connection.channels.set(channel, floor)
      const isFirst = channel.add(user)
      if (isFirst) user.channels++
      this.#tellJoin(user, channel, isFirst)
      this.tables.expiry.channelChanged(channel)
      return isFirst
    })
    // Skips the user's own `joined` events, which it does not get: without frames they would cause a needless `gap`.
    const since = head + joined.filter(({ settings }) => settings.notify_presence).length
    // A connection that no client has opened yet catches up from its cursor in every channel, however late it joined.
    if (connection.returning)
      for (const channel of channels) connection.channels.set(channel, since)
    if (channels.length > 0) this.tables.changes?.connection(connection)
    this.#command(connection, channels, { type: 'joined', since })
    this.#announcePresence(connection.user, joined, 'joined')
    return channels
  }

  /** A removal by `leave`: unlike after a disconnect, events before the next join are not delivered. */
  #remove(connection: Connection, channel: Channel): boolean {
    const wasLast = this.#leave(connection, channel)
    const limits = {
      lostThrough: channel.frames.lostThrough,
      maxRemovals: this.tables.options.maxRemovals,
    }
    const changed = this.#floorListener(channel)
    if (wasLast) channel.floors.userRemoved(connection.user.name, limits, changed)
    // A connection that a client has opened catches up from each join anyway.
    else if (!connection.returning) channel.floors.connectionRemoved(connection.id, limits, changed)
    return wasLast
  }

  #floorListener(channel: Channel): FloorListener {
    const { changes } = this.tables
    return changes && ((who) => changes.floor(channel, who))
  }

  /** Returns whether it was the user's last connection in the channel. */
  #leave(connection: Connection, channel: Channel): boolean {
    connection.channels.delete(channel)
    const wasLast = channel.remove(connection.user)
    if (wasLast) connection.user.channels--
    this.tables.expiry.channelChanged(channel)
    const { webhooks } = this.tables
    if (wasLast) webhooks?.tellMember('parted', channel, connection.user.name)
    if (channel.connections === 0) webhooks?.tellChannel('channel_vacated', channel)
    return wasLast
  }

  #tellJoin(user: User, channel: Channel, isFirst: boolean): void {
    const { webhooks } = this.tables
    if (channel.connections === 1) webhooks?.tellChannel('channel_occupied', channel)
    if (isFirst) webhooks?.tellMember('joined', channel, user.name)
  }

  #announcePresence(user: User, channels: readonly Channel[], action: 'joined' | 'parted'): void {
    const announced = channels.filter(({ settings }) => settings.notify_presence)
    if (announced.length === 0) return
    const state = action === 'joined' ? user.publicState : null
    const timestamp = isoTimestamp(this.tables.clock.wallTime())
    this.publishing.add(
      announced.map((channel) =>
        presence(
          { channel: channel.name, timestamp },
          { user: user.name, state, present: this.#presentIn(channel) },
        ),
      ),
    )
  }

  #presentIn({ settings, members }: Channel): Present | undefined {
    if (!settings.broadcast_presence_with_user_lists) return undefined
    const users: Contract.UserCard[] = []
    for (const { user } of members.values()) {
      if (users.length >= this.tables.options.presenceListLimit) break
      users.push(user.card())
    }
    return { users, total: members.size }
  }

  /** Sends a command to the server, which knows only connections that a client has open. */
  #command(
    { id: connId, attached }: Connection,
    changed: readonly Channel[],
    change: { readonly type: 'joined'; readonly since: number } | { readonly type: 'left' },
  ): void {
    if (attached === false || changed.length === 0) return
    this.command({ ...change, connId, channels: changed.map(({ name }) => name) })
  }
}

function membershipOf(connection: Connection, changed: readonly Channel[]): Contract.Membership {
  const channels = [...connection.channels.keys()].map(({ name }) => name)
  return { user: connection.user.record(), changed: changed.map(({ name }) => name), channels }
}

import { PacedQueue } from '../../lib/paced-queue.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { userStateChange } from '../change-events.ts'
import { Membership } from './membership.ts'
import { Publishing } from './publishing.ts'
import { byCreation } from './records.ts'
import { inParts } from './scan.ts'
import { changesOf, isTooLarge, withChanges } from './state.ts'
import { Tables } from './tables.ts'
import { TokenBuckets } from './token-buckets.ts'
import { MemoryWebhookQueue } from './webhook-queue.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type * as Contract from '../store.ts'
import type { ChannelLimit, MessageRate } from '../user-limits.ts'
import type { WebhookRules } from '../webhook-queue.ts'
import type { Changes } from './changes.ts'
import type { Announcements } from './publishing.ts'
import type { User } from './records.ts'

type EventListener = Parameters<Contract.Store['onEvent']>[0]
type CommandListener = Parameters<Contract.Store['onCommand']>[0]

export const newEpoch = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 12)

/** What a store adds that keeps the records elsewhere as well. */
export interface MemoryStoreDeps {
  /** Of the data that it has kept. */
  readonly epoch?: string
  readonly changes?: Changes
  readonly announcements?: Announcements
}

/**
 * Keeps everything in this process. Calls are synchronous, and announce their events before they return. Announcements
 * that take long continue in later event-loop turns. Until they are done, `publish` and `missed` return a promise for
 * it.
 */
export class MemoryStore implements Contract.Store {
  readonly epoch: string
  readonly webhookQueue: MemoryWebhookQueue | undefined
  /** For a store that keeps the records elsewhere as well. */
  readonly tables: Tables
  /** The same. */
  readonly publishing: Publishing
  readonly #membership: Membership
  readonly #buckets: TokenBuckets
  #onEvent: EventListener = () => {}
  #onCommand: CommandListener = () => {}

  constructor(
    clock: Clock,
    options: Contract.StoreLimits & { readonly webhooks?: WebhookRules | undefined },
    /** Measures event-loop turns. */
    turns: Pick<Clock, 'now' | 'soon'> = clock,
    { epoch = newEpoch(), changes, announcements }: MemoryStoreDeps = {},
  ) {
    const { webhooks: rules } = options
    this.epoch = epoch
    const webhooks = rules && new MemoryWebhookQueue(epoch, clock, rules, changes)
    this.webhookQueue = webhooks
    this.tables = new Tables(clock, options, { epoch, webhooks, changes })
    this.#buckets = new TokenBuckets(clock)
    const queue = announcements ?? new PacedQueue(turns)
    this.publishing = new Publishing(this.tables, queue, (event, topics) =>
      this.#onEvent(event, topics),
    )
    this.#membership = new Membership(this.tables, this.publishing, (command) =>
      this.#onCommand(command),
    )
  }

  onEvent(listener: EventListener): void {
    this.#onEvent = listener
  }

  /** Never calls the listener: when this process loses its data, its connections end as well. */
  onGap(): void {}

  onCommand(listener: CommandListener): void {
    this.#onCommand = listener
  }

  listen(topic: Contract.Topic): void {
    this.publishing.listenedTopics.add(topic)
  }

  unlisten(topic: Contract.Topic): void {
    this.publishing.listenedTopics.delete(topic)
  }

  connect(facts: Contract.ConnectFacts) {
    return this.#membership.connect(facts)
  }

  join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
    limit?: ChannelLimit,
  ) {
    return this.#membership.join(connId, channels, settings, limit)
  }

  leave(connId: ConnId, channels: readonly ChannelName[]) {
    return this.#membership.leave(connId, channels)
  }

  drop(connId: ConnId, options: Contract.DropOptions = {}) {
    return this.#membership.drop(connId, options)
  }

  hasConnection(connId: ConnId): boolean {
    return this.tables.connections.has(connId)
  }

  attach(connId: ConnId, kind: Contract.SinkKind = 'stream') {
    return this.#membership.attach(connId, kind)
  }

  detach(connId: ConnId, cursor: number, waitMs: number): void {
    this.#membership.detach(connId, cursor, waitMs)
  }

  setUserState(
    name: UserName,
    wanted: Contract.State,
    publicKeys: readonly string[] | undefined,
  ): Contract.UserStateChange | 'state-too-large' | undefined {
    const user = this.tables.users.get(name)
    if (!user) return undefined
    const changed = changesOf(user.state, wanted)
    const state = withChanges(user.state, changed)
    if (isTooLarge(state, this.tables.options.maxStateBytes)) return 'state-too-large'
    user.state = state
    if (publicKeys) user.publicKeys = publicKeys
    this.tables.changes?.user(user)
    this.tables.expiry.userChanged(user)
    if (changed.length > 0) this.#announceState(user, changed)
    return { user: user.record(), changed }
  }

  configure(settings: ReadonlyMap<ChannelName, ChannelSettings>): void {
    for (const [name, wanted] of settings) {
      const channel = this.tables.channel(name, wanted)
      channel.settings = wanted
      channel.trimHistory()
      this.tables.changes?.channel(channel)
      this.tables.expiry.channelChanged(channel)
      this.tables.expiry.contentChanged(channel)
    }
  }

  ensure(
    channels: readonly ChannelName[],
    settings?: ReadonlyMap<ChannelName, ChannelSettings>,
  ): number {
    for (const name of channels) {
      const channel = this.tables.channel(name, settings?.get(name))
      this.tables.expiry.channelChanged(channel)
    }
    return this.tables.log.head
  }

  publish(publications: readonly Contract.Publication[], _once?: string, rate?: MessageRate) {
    if (rate) this.#buckets.take(rate)
    return this.publishing.publish(publications)
  }

  publishAndCount(messages: readonly Contract.Publication[], _once?: string, rate?: MessageRate) {
    if (rate) this.#buckets.take(rate)
    return this.publishing.publishAndCount(messages)
  }

  missed(since: readonly Contract.Since[], enough?: number) {
    return this.publishing.missed(since, enough)
  }

  channelNames(): ChannelName[] {
    return [...this.tables.channels.keys()]
  }

  channels(names: readonly ChannelName[], include: Contract.Include): Contract.ChannelRecord[] {
    const { channels, clock } = this.tables
    const now = clock.now()
    return [...new Set(names)].flatMap((name) => channels.get(name)?.record(include, now) ?? [])
  }

  describe(
    names: readonly ChannelName[],
    include: Contract.Include,
    mostUsers: number,
  ): Contract.Description {
    const channels = this.channels(names, include)
    const members = channels.reduce((sum, { users }) => sum + users.length, 0)
    if (members > mostUsers) return { channels }
    return { channels, users: this.users(new Set(channels.flatMap(({ users }) => users))) }
  }

  history(name: ChannelName, range: Contract.HistoryRange): Contract.HistoryPart | undefined {
    const channel = this.tables.channels.get(name)
    return channel?.history.part(range, channel.expiredAt(this.tables.clock.now()))
  }

  users(
    names: Iterable<UserName>,
    { connections } = { connections: false },
  ): Contract.UserRecord[] {
    const users = [...names].flatMap((name) => this.tables.users.get(name) ?? [])
    return users.map((user) => (connections ? user.recordWithConnections() : user.record()))
  }

  countChannels(names: readonly ChannelName[]): Contract.ChannelCounts[] {
    const { channels } = this.tables
    return [...new Set(names)].flatMap((name) => channels.get(name)?.counts() ?? [])
  }

  connectionsOf(names: readonly UserName[]): ConnId[][] {
    const { users } = this.tables
    return names.map((name) => users.get(name)?.connections.map(({ id }) => id) ?? [])
  }

  channelsOf(connIds: readonly ConnId[]): ChannelName[][] {
    const { connections } = this.tables
    return connIds.map((connId) => {
      const channels = connections.get(connId)?.channels.keys() ?? []
      return [...channels].map(({ name }) => name)
    })
  }

  connectedUserNames(): UserName[] {
    const users = [...this.tables.users.values()]
    return users.filter(({ connections }) => connections.length > 0).map(({ name }) => name)
  }

  hasUser(name: UserName): boolean {
    return this.tables.users.has(name)
  }

  scanChannels(): Iterable<Contract.ChannelSummary[]> {
    return inParts(this.tables.channels.values())
  }

  scanUsers(): Iterable<Contract.UserSummary[]> {
    return inParts(this.tables.users.values())
  }

  figures(): Contract.Figures {
    const { users, connectedUsers, connections, channels } = this.tables
    const { messages, deliveries } = this.publishing
    return {
      users: users.size,
      connectedUsers,
      connections: connections.size,
      channels: channels.size,
      messages,
      deliveries,
    }
  }

  sweep(): ConnId[] {
    this.#buckets.sweep()
    return this.tables.sweep()
  }

  #announceState(user: User, changed: readonly Contract.Changed[]): void {
    const channels = new Set(
      user.connections.flatMap((connection) => [...connection.channels.keys()]),
    )
    const announced = [...channels].filter(({ settings }) => settings.notify_state).sort(byCreation)
    if (announced.length === 0) return
    const timestamp = isoTimestamp(this.tables.clock.wallTime())
    const eventIn = userStateChange({ user: user.name, state: user.publicState, changed })
    this.publishing.add(announced.map(({ name }) => eventIn({ channel: name, timestamp })))
  }

  stop(): void {
    this.#onEvent = () => {}
    this.#onCommand = () => {}
  }
}

import { MemoryAdminSessions } from '../memory/admin-sessions.ts'
import { MemoryIdempotencyCache } from '../memory/idempotency-cache.ts'
import { StoreUnavailable } from '../store.ts'
import { DiskAdminSessions } from './admin-sessions.ts'
import { DiskIdempotencyCache } from './idempotency-cache.ts'
import { openParts } from './open.ts'
import { DiskWebhookQueue } from './webhook-queue.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { AdminSessionLimits } from '../admin-sessions.ts'
import type { MemoryStore } from '../memory/store.ts'
import type * as Contract from '../store.ts'
import type { ChannelLimit, MessageRate } from '../user-limits.ts'
import type { Line } from './lines.ts'
import type { Parts } from './open.ts'
import type { DiskOptions } from './options.ts'

type Awaitable<Value> = Contract.Awaitable<Value>
type EventListener = Parameters<Contract.Store['onEvent']>[0]
type CommandListener = Parameters<Contract.Store['onCommand']>[0]

/**
 * The memory store, with a copy on disk. Rules and reads are those of the memory store. Each change is committed before
 * the call that makes it returns, and before it is visible: an event or an answer never shows what may be lost.
 *
 * While the disk refuses writes, calls that change something reject with `StoreUnavailable`, without any effect; reads
 * go on, and so do clients that come and go.
 */
export class DiskStore implements Contract.Store {
  readonly webhookQueue: DiskWebhookQueue | undefined
  readonly #memory: MemoryStore
  readonly #parts: Parts
  #onEvent: EventListener = () => {}
  #onCommand: CommandListener = () => {}

  private constructor(
    parts: Parts,
    private readonly options: DiskOptions,
  ) {
    this.#parts = parts
    this.#memory = parts.memory
    const { memory, announcements } = parts
    const deps = { read: this.#read.bind(this), change: this.#change.bind(this) }
    this.webhookQueue = memory.webhookQueue && new DiskWebhookQueue(memory.webhookQueue, deps)
    // The memory store runs its announcements of events by the same queue.
    memory.onEvent((event, topics) => {
      const listened = topics.filter((topic) => memory.publishing.listenedTopics.has(topic))
      if (listened.length > 0) this.#onEvent(event, listened)
    })
    memory.onCommand((command) => announcements.run(() => this.#onCommand(command)))
  }

  /** Reads what the directory has. Rejects with `DataDirError` if it cannot be used. */
  static async open(options: DiskOptions): Promise<DiskStore> {
    return new DiskStore(await openParts(options), options)
  }

  get epoch(): string {
    return this.#memory.epoch
  }

  idempotencyCache(): DiskIdempotencyCache {
    const { clock, idempotency } = this.options
    const { time, kept, sources } = this.#parts
    const memory = new MemoryIdempotencyCache(clock, idempotency)
    const { windowMs } = idempotency
    const write = (line: Line) => this.#writeLine(line)
    const cache = new DiskIdempotencyCache({ memory, time, windowMs, write })
    cache.restore(kept.answers)
    kept.answers.clear()
    sources.push(cache)
    return cache
  }

  adminSessions(limits: AdminSessionLimits): DiskAdminSessions {
    const { time, kept, sources, changes } = this.#parts
    const memory = new MemoryAdminSessions(this.options.clock, limits)
    const sessions = new DiskAdminSessions({
      ...{ memory, time },
      lifetimeMs: limits.lifetimeMs,
      write: (line) => this.#writeLine(line),
      note: (line) => changes.line(line),
      committed: () => this.#change(() => {}),
    })
    sessions.restore(kept)
    kept.sessions.clear()
    sources.push(sessions)
    return sessions
  }

  onEvent(listener: EventListener): void {
    this.#onEvent = listener
  }

  /** Never calls the listener: connections end with the process, and get their gap when they come back. */
  onGap(): void {}

  onCommand(listener: CommandListener): void {
    this.#onCommand = listener
  }

  listen(topic: Contract.Topic): void {
    this.#memory.listen(topic)
  }

  unlisten(topic: Contract.Topic): void {
    this.#memory.unlisten(topic)
  }

  connect(facts: Contract.ConnectFacts) {
    return this.#change(() => this.#memory.connect(facts))
  }

  join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
    limit?: ChannelLimit,
  ) {
    return this.#change(() => this.#memory.join(connId, channels, settings, limit))
  }

  leave(connId: ConnId, channels: readonly ChannelName[]) {
    return this.#change(() => this.#memory.leave(connId, channels))
  }

  drop(connId: ConnId, options?: Contract.DropOptions) {
    return this.#change(() => this.#memory.drop(connId, options))
  }

  hasConnection(connId: ConnId) {
    return this.#read(() => this.#memory.hasConnection(connId))
  }

  /** Works without the disk as well. */
  attach(connId: ConnId, kind: Contract.SinkKind) {
    return this.#read(() => this.#memory.attach(connId, kind))
  }

  /** The same. Nobody waits for it. */
  detach(connId: ConnId, cursor: number, waitMs: number): void {
    this.#memory.detach(connId, cursor, waitMs)
  }

  setUserState(name: UserName, state: Contract.State, publicKeys: readonly string[] | undefined) {
    return this.#change(() => this.#memory.setUserState(name, state, publicKeys))
  }

  configure(settings: ReadonlyMap<ChannelName, ChannelSettings>) {
    return this.#change(() => this.#memory.configure(settings))
  }

  ensure(channels: readonly ChannelName[], settings?: ReadonlyMap<ChannelName, ChannelSettings>) {
    return this.#change(() => this.#memory.ensure(channels, settings))
  }

  publish(publications: readonly Contract.Publication[], once?: string, rate?: MessageRate) {
    return this.#publish(once, () => this.#memory.publish(publications, undefined, rate))
  }

  publishAndCount(messages: readonly Contract.Publication[], once?: string, rate?: MessageRate) {
    return this.#publish(once, () => this.#memory.publishAndCount(messages, undefined, rate))
  }

  async missed(since: readonly Contract.Since[], enough?: number): Promise<Contract.Missed> {
    const { committer, announcements } = this.#parts
    const missed = await this.#readAs(
      () => this.#memory.missed(since, enough),
      (found) => (this.#isAway ? missedUntil(found, committer.head) : found),
    )
    // Whatever is committed by now waits in this queue at most.
    await announcements.allRun()
    return missed
  }

  channelNames() {
    return this.#read(() => this.#memory.channelNames())
  }

  channels(names: readonly ChannelName[], include: Contract.Include) {
    return this.#readAs(
      () => this.#memory.channels(names, include),
      (channels) => this.#shown(channels),
    )
  }

  describe(names: readonly ChannelName[], include: Contract.Include, mostUsers: number) {
    return this.#readAs(
      () => this.#memory.describe(names, include, mostUsers),
      (description) => ({ ...description, channels: this.#shown(description.channels) }),
    )
  }

  history(name: ChannelName, range: Contract.HistoryRange) {
    return this.#readAs(
      () => this.#memory.history(name, range),
      (part) => {
        if (!part || !this.#isAway) return part
        return { ...part, events: eventsUntil(part.events, this.#parts.committer.head) }
      },
    )
  }

  users(names: Iterable<UserName>, include?: { readonly connections: boolean }) {
    return this.#read(() => this.#memory.users(names, include))
  }

  countChannels(names: readonly ChannelName[]) {
    return this.#read(() => this.#memory.countChannels(names))
  }

  connectionsOf(names: readonly UserName[]) {
    return this.#read(() => this.#memory.connectionsOf(names))
  }

  channelsOf(connIds: readonly ConnId[]) {
    return this.#read(() => this.#memory.channelsOf(connIds))
  }

  connectedUserNames() {
    return this.#read(() => this.#memory.connectedUserNames())
  }

  hasUser(name: UserName) {
    return this.#read(() => this.#memory.hasUser(name))
  }

  scanChannels() {
    return this.#memory.scanChannels()
  }

  scanUsers() {
    return this.#memory.scanUsers()
  }

  figures(): Contract.Figures {
    const bytes = this.#parts.compactor.bytes
    return { ...this.#memory.figures(), disk: { bytes, isRefusing: this.#isAway } }
  }

  /** Removes nothing while the disk refuses writes. */
  sweep(): ConnId[] {
    return this.#isAway ? [] : this.#memory.sweep()
  }

  /** Writes a new state, which replaces the logs before it. Rejects if that fails. */
  async compact(): Promise<void> {
    await this.#parts.compactor.compact()
  }

  /** Commits what is left, and closes the files. */
  async stop(): Promise<void> {
    await this.#parts.close()
    this.#memory.stop()
  }

  /** The disk refuses writes. */
  get #isAway(): boolean {
    return this.#parts.committer.error !== undefined
  }

  /** Without messages that are not committed: their numbers may be given again. */
  #shown(channels: readonly Contract.ChannelRecord[]): readonly Contract.ChannelRecord[] {
    if (!this.#isAway) return channels
    const { head } = this.#parts.committer
    return channels.map((channel) => ({ ...channel, history: eventsUntil(channel.history, head) }))
  }

  async #publish<Result>(
    once: string | undefined,
    act: () => Awaitable<Result>,
  ): Promise<Result | undefined> {
    const { onceKeys } = this.#parts
    const published = await this.#change(() => {
      if (once === undefined) return act()
      if (onceKeys.has(once)) return undefined
      const result = act()
      onceKeys.add(once)
      return result
    })
    await this.#parts.announcements.allRun()
    return published
  }

  #writeLine(line: Line): Awaitable<void> {
    return this.#change(() => this.#parts.changes.line(line))
  }

  /** Returns the result when everything that it shows is committed, unless the disk refuses writes. */
  #read<Result>(act: () => Awaitable<Result>): Awaitable<Result> {
    return this.#readAs(act, (result) => result)
  }

  /** The same. `shown` removes what is not committed, if the disk refuses writes by then. */
  #readAs<Found, Shown>(
    act: () => Awaitable<Found>,
    shown: (found: Found) => Shown,
  ): Awaitable<Shown> {
    const found = act()
    const pending = this.#parts.committer.pending()
    const show = async (): Promise<Shown> => shown(await found)
    if (pending && !this.#isAway) return pending.then(show, show)
    return found instanceof Promise ? show() : shown(found)
  }

  /** Returns the result when the change is committed. Rejects with `StoreUnavailable` if the disk refuses writes. */
  #change<Result>(act: () => Awaitable<Result>): Awaitable<Result> {
    const { committer } = this.#parts
    if (this.#isAway) return Promise.reject(new StoreUnavailable())
    const result = act()
    return (
      committer.pending()?.then(
        () => result,
        (cause: unknown) => Promise.reject(new StoreUnavailable({ cause })),
      ) ?? result
    )
  }
}

const eventsUntil = (events: readonly Contract.StoredEvent[], head: number) =>
  events.filter(({ n }) => n <= head)

/** Without events that are not committed: they are announced when they are. */
function missedUntil(missed: Contract.Missed, head: number): Contract.Missed {
  const through = Math.min(missed.through, head)
  return { ...missed, events: eventsUntil(missed.events, head), head, through }
}

import { inBackground } from '../../lib/in-background.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { RedisAdminSessions } from './admin-sessions.ts'
import { AnnounceTimes } from './announce-times.ts'
import { constantsOf } from './constants.ts'
import {
  counted,
  readConnected,
  readJoined,
  readMembership,
  readStateChange,
  writeChannels,
  writeConnect,
  writeDrop,
  writeJoin,
  writeState,
} from './encoding.ts'
import { RedisIdempotencyCache } from './idempotency-cache.ts'
import { Keys } from './keys.ts'
import { Lease } from './lease.ts'
import { Ownership } from './ownership.ts'
import { RedisPublishing } from './publishing.ts'
import { RedisQueries } from './queries.ts'
import { RedisReads } from './reads.ts'
import { ReconnectingConnection } from './reconnecting-connection.ts'
import { ScriptRunner } from './script-runner.ts'
import { loadScripts } from './scripts.ts'
import { dispatchServerMessage } from './server-messages.ts'
import { SharedClock } from './shared-clock.ts'
import { Subscriptions } from './subscriptions.ts'
import { Upkeep } from './upkeep.ts'
import { RedisWebhookQueue } from './webhook-queue.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { AdminSessionLimits } from '../admin-sessions.ts'
import type * as Contract from '../store.ts'
import type { ChannelLimit, MessageRate } from '../user-limits.ts'
import type { Connection } from './connection.ts'
import type { Reply } from './encoding.ts'
import type { RedisIdempotencyCacheOptions } from './idempotency-cache.ts'
import type { RedisStoreOptions } from './options.ts'
import type { ChangeScript } from './scripts.ts'

export type { RedisStoreOptions }

/** Keeps everything in Redis, for any number of servers. The scripts of the calls are in `redis/lua`. */
export class RedisStore extends RedisReads implements Contract.Store {
  readonly #runner: ScriptRunner
  readonly #redis: ReconnectingConnection
  readonly #subscriptions: Subscriptions
  readonly #ownership: Ownership
  readonly #lease: Lease
  protected override readonly queries: RedisQueries
  readonly #publishing: RedisPublishing
  readonly #times: AnnounceTimes
  readonly #upkeep: Upkeep
  readonly webhookQueue: RedisWebhookQueue | undefined
  #idempotencyCache: RedisIdempotencyCache | undefined
  #onCommand: (command: Contract.Command) => void = () => {}

  private constructor(private readonly options: RedisStoreOptions) {
    super()
    const keys = new Keys(options.prefix, options.address.database)
    this.#redis = new ReconnectingConnection({
      address: options.address,
      rootKey: keys.root,
      timeoutMs: options.timeoutMs,
      onConnected: (connection) => this.#initialize(connection),
      onReady: () => {
        this.#subscriptions.resume()
        // A new connection does the same first, and reports why it fails.
        this.#ownership.resume().catch((error: unknown) => this.#redis.cut(error))
        inBackground(this.#idempotencyCache?.resume(), options.onFault)
        this.webhookQueue?.added()
      },
      onMessage: (text, topic) => this.#receive(text, topic),
      onAway: options.onAway,
      onBack: options.onBack,
      onFault: options.onFault,
    })
    const clock = new SharedClock(() => options.clock.now(), options.now)
    this.#runner = new ScriptRunner({
      redis: this.#redis,
      keys,
      scripts: loadScripts(constantsOf(options)),
      clock,
    })
    this.webhookQueue = options.webhooks && new RedisWebhookQueue(this.#runner)
    const onCommand = (command: Contract.Command): void => this.#onCommand(command)
    this.#subscriptions = new Subscriptions(this.#runner, this.#redis)
    const { orphanWaitMs, onFault } = options
    this.#ownership = new Ownership(this.#runner, orphanWaitMs, onCommand, onFault)
    this.#lease = new Lease({
      runner: this.#runner,
      clock,
      calendar: options.now ?? (() => 0),
      onFailure: (why) => this.#redis.cut(why),
      onPresumedDead: () =>
        this.#redis.cut(new Error('other servers took this one for dead, which it was not')),
      drainAnnouncements: () => this.#redis.drainAnnouncements(),
      onHead: (head) => this.#subscriptions.noteHead(head),
      timeoutMs: options.timeoutMs,
      onFault: options.onFault,
    })
    this.queries = new RedisQueries(this.#runner, this.#redis)
    this.#times = new AnnounceTimes(options.clock)
    const isListening = this.#subscriptions.isListening.bind(this.#subscriptions)
    this.#publishing = new RedisPublishing(this.#runner, this.#times, isListening)
    const [redis, runner, lease] = [this.#redis, this.#runner, this.#lease]
    const runChange = this.#runChange.bind(this)
    this.#upkeep = new Upkeep({ redis, runner, lease, options, runChange })
  }

  /** Connects. Rejects with the address and the reason if Redis cannot be used within `startTimeoutMs`. */
  static async open(options: RedisStoreOptions, startTimeoutMs: number): Promise<RedisStore> {
    const store = new RedisStore(options)
    await store.#redis.start(startTimeoutMs)
    await store.#upkeep.begin()
    return store
  }

  get epoch(): string {
    return this.#runner.epoch
  }

  onEvent(listener: Parameters<Contract.Store['onEvent']>[0]): void {
    this.#subscriptions.listeners.onEvent = (event, topics) => {
      this.#times.announced(event.body.uuid)
      listener(event, topics)
    }
  }

  onGap(listener: Parameters<Contract.Store['onGap']>[0]): void {
    this.#subscriptions.listeners.onGap = listener
  }

  onCommand(listener: Parameters<Contract.Store['onCommand']>[0]): void {
    this.#onCommand = listener
  }

  listen(topic: Contract.Topic): Promise<void> {
    return this.#subscriptions.listen(topic)
  }

  unlisten(topic: Contract.Topic): Promise<void> {
    return this.#subscriptions.unlisten(topic)
  }

  async connect(facts: Contract.ConnectFacts): Promise<Contract.Connected> {
    return readConnected(await this.#runChange('connect', ...writeConnect(facts)))
  }

  async join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
    limit?: ChannelLimit,
  ): Promise<Contract.Membership | undefined> {
    const args = writeJoin(channels, settings, limit)
    return readJoined(await this.#runChange('join', connId, ...args))
  }

  async leave(
    connId: ConnId,
    channels: readonly ChannelName[],
  ): Promise<Contract.Membership | undefined> {
    return readMembership(await this.#runChange('leave', connId, ...counted(channels)))
  }

  async drop(connId: ConnId, options: Contract.DropOptions = {}): Promise<boolean> {
    return (await this.#runChange('drop', connId, ...writeDrop(options))) === 1
  }

  attach(connId: ConnId, kind: Contract.SinkKind) {
    return this.#ownership.attach(connId, kind)
  }

  detach(connId: ConnId, cursor: number, waitMs: number): Promise<void> {
    return this.#ownership.detach(connId, cursor, waitMs)
  }

  async setUserState(
    name: UserName,
    state: Contract.State,
    publicKeys: readonly string[] | undefined,
  ): Promise<Contract.UserStateChange | 'state-too-large' | undefined> {
    const reply = await this.#runChange(
      'setState',
      ...[name, publicKeys ? 1 : 0, JSON.stringify(publicKeys ?? [])],
      ...counted(writeState(state)),
    )
    return readStateChange(reply)
  }

  async configure(settings: ReadonlyMap<ChannelName, ChannelSettings>): Promise<void> {
    await this.#runner.run('configure', ...writeChannels([...settings.keys()], settings))
  }

  async ensure(
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings> = new Map(),
  ): Promise<number> {
    return Number(await this.#runner.run('ensure', ...writeChannels(channels, settings)))
  }

  publish(publications: readonly Contract.Publication[], once = '', rate?: MessageRate) {
    return this.#publishing.publish(publications, once, rate)
  }

  publishAndCount(messages: readonly Contract.Publication[], once = '', rate?: MessageRate) {
    return this.#publishing.publishAndCount(messages, once, rate)
  }

  missed(since: readonly Contract.Since[], enough?: number): Promise<Contract.Missed> {
    return this.#subscriptions.missed(since, enough)
  }

  async figures(): Promise<Contract.Figures> {
    const figures = await this.queries.figures()
    return { ...figures, eviction: this.#upkeep.eviction, announceSeconds: this.#times.view() }
  }

  sweep(): Promise<readonly ConnId[]> {
    return this.#upkeep.sweep()
  }

  /** Returns the idempotency cache, which all servers share. */
  idempotencyCache(options: RedisIdempotencyCacheOptions): RedisIdempotencyCache {
    return (this.#idempotencyCache ??= new RedisIdempotencyCache(this.#runner, options))
  }

  /** Returns the sessions of the admin panel, which all servers share. */
  adminSessions(limits: AdminSessionLimits): RedisAdminSessions {
    return new RedisAdminSessions(this.#runner, limits)
  }

  /** Waits for commands that were sent before, so that detached connections are detached in Redis as well. */
  async stop(): Promise<void> {
    this.#subscriptions.stop()
    await this.#lease.end()
    this.#redis.stop()
  }

  /** Runs a script that announces its changes. */
  #runChange(name: ChangeScript, ...args: readonly (string | number)[]): Promise<Reply> {
    const now = isoTimestamp(this.options.clock.wallTime())
    return this.#runner.run(name, now, crypto.randomUUID(), ...args)
  }

  /** Runs on every new connection before anything else. */
  async #initialize(connection: Connection): Promise<void> {
    const subscriptions = this.#subscriptions
    subscriptions.hold()
    const { head, isNew } = await this.#runner.enter(connection, subscriptions.receivedThrough)
    if (isNew) subscriptions.forget(head)
    await this.#lease.begin(connection)
    // Before connections are read: commands about them that are sent later arrive here, and only once. Also, a server
    // that does not receive messages is treated as dead, and others take its connections without asking.
    await subscriptions.listenToOwnTopic(connection)
    // Before events are read: connections that have left meanwhile must not get them.
    await this.#ownership.settle(connection)
    await subscriptions.recover(connection)
  }

  #receive(text: string, topic: string): void {
    const { keys, server } = this.#runner
    if (topic !== keys.server(server)) return this.#subscriptions.onChannelEvent(topic, text)
    dispatchServerMessage(text, {
      epoch: () => this.#redis.cut(new Error('Redis has lost some of what was announced')),
      event: (users, event) => this.#subscriptions.onUserEvent(users, event),
      settled: (answer) => this.#idempotencyCache?.settled(answer),
      webhook: () => this.webhookQueue?.added(),
      command: (n, ...command) =>
        this.#subscriptions.onCommand(n, () => this.#ownership.onMessage(...command)),
    })
  }
}

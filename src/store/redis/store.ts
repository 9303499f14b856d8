import { constantsOf } from './constants.ts'
import { Announcements } from './subscriptions.ts'
import { Holdings } from './ownership.ts'
import { Installation } from './script-runner.ts'
import { Keys } from './keys.ts'
import { Lease } from './lease.ts'
import { Link } from './reconnecting-connection.ts'
import { RedisAdminSessions } from './admin-sessions.ts'
import { RedisAnswers } from './idempotency-cache.ts'
import { Reading } from './queries.ts'
import { SharedClock } from './shared-clock.ts'
import { Upkeep } from './upkeep.ts'
import { inBackground } from '../../lib/in-background.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { loadScripts } from './scripts.ts'
import {
  counted,
  readChanges,
  knownUser,
  readMembership,
  writeChannels,
  writePublication,
  writeState,
} from './encoding.ts'
import type { AdminSessionLimits } from '../admin-sessions.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Line } from './connection.ts'
import type { RedisAnswersOptions } from './idempotency-cache.ts'
import type { Reply } from './encoding.ts'
import type { RedisStoreOptions } from './options.ts'
import type { TellingScript } from './scripts.ts'
import type * as Contract from '../store.ts'

export type { RedisStoreOptions }

/** Keeps everything in Redis, for any number of servers. What each call does there is in `redis/lua`. */
export class RedisStore implements Contract.Store {
  readonly #installation: Installation
  readonly #link: Link
  readonly #announcements: Announcements
  readonly #holdings: Holdings
  readonly #lease: Lease
  readonly #reading: Reading
  readonly #upkeep: Upkeep
  #answers: RedisAnswers | undefined
  #onCommand: (command: Contract.Command) => void = () => {}

  private constructor(private readonly options: RedisStoreOptions) {
    const keys = new Keys(options.prefix, options.address.database)
    this.#link = new Link({
      address: options.address,
      rootKey: keys.root,
      timeoutMs: options.timeoutMs,
      onConnected: (line) => this.#begin(line),
      onReady: () => {
        this.#announcements.resume()
        // A new connection begins with the same, and tells why it fails.
        this.#holdings.resume().catch((error: unknown) => this.#link.cut(error))
        inBackground(this.#answers?.resume(), options.onFault)
      },
      onMessage: (text, topic) => this.#receive(text, topic),
      onAway: options.onAway,
      onBack: options.onBack,
      onFault: options.onFault,
    })
    const clock = new SharedClock(() => options.clock.now(), options.now)
    this.#installation = new Installation({
      link: this.#link,
      keys,
      scripts: loadScripts(constantsOf(options)),
      clock,
    })
    const command = (said: Contract.Command): void => this.#onCommand(said)
    this.#announcements = new Announcements(this.#installation, this.#link)
    const { orphanWaitMs, onFault } = options
    this.#holdings = new Holdings(this.#installation, orphanWaitMs, command, onFault)
    this.#lease = new Lease({
      installation: this.#installation,
      clock,
      calendar: options.now ?? (() => 0),
      onFailure: (why) => this.#link.cut(why),
      onForgotten: () =>
        this.#link.cut(new Error('other servers took this one for dead, which it was not')),
      announced: () => this.#link.announced(),
      onHead: (head) => this.#announcements.noteHead(head),
      timeoutMs: options.timeoutMs,
      onFault: options.onFault,
    })
    this.#reading = new Reading(this.#installation, this.#link)
    const [link, installation, lease] = [this.#link, this.#installation, this.#lease]
    const tell = this.#tell.bind(this)
    this.#upkeep = new Upkeep({ link, installation, lease, options, tell })
  }

  /** Connects. Rejects with which address and why, if Redis cannot be used within `patienceMs`. */
  static async open(options: RedisStoreOptions, patienceMs: number): Promise<RedisStore> {
    const store = new RedisStore(options)
    await store.#link.start(patienceMs)
    await store.#upkeep.begin()
    return store
  }

  get epoch(): string {
    return this.#installation.epoch
  }

  onEvent(listener: Parameters<Contract.Store['onEvent']>[0]): void {
    this.#announcements.listeners.onEvent = listener
  }

  onGap(listener: Parameters<Contract.Store['onGap']>[0]): void {
    this.#announcements.listeners.onGap = listener
  }

  onCommand(listener: Parameters<Contract.Store['onCommand']>[0]): void {
    this.#onCommand = listener
  }

  listen(topic: Contract.Topic): Promise<void> {
    return this.#announcements.listen(topic)
  }

  unlisten(topic: Contract.Topic): Promise<void> {
    return this.#announcements.unlisten(topic)
  }

  async connect(facts: Contract.ConnectFacts): Promise<Contract.Connected> {
    const reply = await this.#tell(
      'connect',
      ...[facts.connId, facts.user, facts.waitMs, JSON.stringify(facts.publicKeys)],
      crypto.randomUUID(),
      ...counted(writeState(facts.freshState)),
      ...counted(writeState(facts.state)),
      ...writeChannels(facts.channels, facts.settings),
    )
    const [outcome, user] = reply as [Contract.Connected['outcome'], Reply]
    return outcome === 'connected' ? { outcome, user: knownUser(user) } : { outcome }
  }

  async join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
  ): Promise<Contract.Membership | undefined> {
    return readMembership(await this.#tell('join', connId, ...writeChannels(channels, settings)))
  }

  async leave(
    connId: ConnId,
    channels: readonly ChannelName[],
  ): Promise<Contract.Membership | undefined> {
    return readMembership(await this.#tell('leave', connId, ...counted(channels)))
  }

  async drop(connId: ConnId, onlyIfDue = false): Promise<boolean> {
    return (await this.#tell('drop', connId, onlyIfDue ? 1 : 0)) === 1
  }

  hasConnection(connId: ConnId): Promise<boolean> {
    return this.#reading.hasConnection(connId)
  }

  attach(connId: ConnId, kind: Contract.SinkKind) {
    return this.#holdings.attach(connId, kind)
  }

  detach(connId: ConnId, cursor: number, waitMs: number): Promise<void> {
    return this.#holdings.detach(connId, cursor, waitMs)
  }

  async setUserState(
    name: UserName,
    state: Contract.State,
    publicKeys: readonly string[] | undefined,
  ): Promise<Contract.UserStateChange | 'state-too-large' | undefined> {
    const reply = await this.#tell(
      'setState',
      ...[name, publicKeys ? 1 : 0, JSON.stringify(publicKeys ?? [])],
      ...counted(writeState(state)),
    )
    if (reply === null) return undefined
    if (reply === 'state-too-large') return reply
    const [user, changed] = reply as [Reply, readonly string[]]
    return { user: knownUser(user), changed: readChanges(changed) }
  }

  async configure(settings: ReadonlyMap<ChannelName, ChannelSettings>): Promise<void> {
    await this.#installation.run('configure', ...writeChannels([...settings.keys()], settings))
  }

  async ensure(channels: readonly ChannelName[]): Promise<number> {
    return Number(await this.#installation.run('ensure', ...writeChannels(channels, new Map())))
  }

  async publish(publications: readonly Contract.Publication[], once = ''): Promise<void> {
    if (publications.length === 0) return
    const written = publications.flatMap(writePublication)
    await this.#installation.run('publish', once, publications.length, ...written)
  }

  missed(since: readonly Contract.Since[]): Promise<Contract.Missed> {
    return this.#announcements.missed(since)
  }

  channelNames(): Promise<readonly ChannelName[]> {
    return this.#reading.channelNames()
  }

  channels(names: readonly ChannelName[], include: Contract.Include) {
    return this.#reading.channels(names, include)
  }

  describe(names: readonly ChannelName[], include: Contract.Include, mostUsers: number) {
    return this.#reading.describe(names, include, mostUsers)
  }

  users(names: Iterable<UserName>, include = { connections: false }) {
    return this.#reading.users(names, include.connections)
  }

  connectedUserNames(): Promise<readonly UserName[]> {
    return this.#reading.connectedUserNames()
  }

  hasUser(user: UserName): Promise<boolean> {
    return this.#reading.hasUser(user)
  }

  scanChannels() {
    return this.#reading.scanChannels()
  }

  scanUsers() {
    return this.#reading.scanUsers()
  }

  async figures(): Promise<Contract.Figures> {
    return { ...(await this.#reading.figures()), eviction: this.#upkeep.eviction }
  }

  sweep(): Promise<readonly ConnId[]> {
    return this.#upkeep.sweep()
  }

  /** Answers to requests that may be sent twice, for all servers. */
  answers(options: RedisAnswersOptions): RedisAnswers {
    return (this.#answers ??= new RedisAnswers(this.#installation, options))
  }

  /** Sessions of the admin pages, for all servers. */
  adminSessions(limits: AdminSessionLimits): RedisAdminSessions {
    return new RedisAdminSessions(this.#installation, limits)
  }

  /** Waits for what is being done, so that connections that were let go of are let go of. */
  async stop(): Promise<void> {
    this.#announcements.stop()
    await this.#lease.end()
    this.#link.stop()
  }

  /** Runs a script that tells what it changes. */
  #tell(name: TellingScript, ...args: readonly (string | number)[]): Promise<Reply> {
    const now = isoTimestamp(this.options.clock.wallTime())
    return this.#installation.run(name, now, crypto.randomUUID(), ...args)
  }

  /** On every new connection, before anything else. */
  async #begin(line: Line): Promise<void> {
    const announcements = this.#announcements
    announcements.hold()
    const { head, isNew } = await this.#installation.enter(line, announcements.heardThrough)
    if (isNew) announcements.forget(head)
    await this.#lease.begin(line)
    // Before anything is asked about connections: what is done to one of them afterwards is told here, and only once. And
    // who is not heard is taken for dead, so that what it holds is taken from it.
    await announcements.listenForItself(line)
    // Before events are read: they are not for those who have left meanwhile.
    await this.#holdings.settle(line)
    await announcements.recover(line)
  }

  #receive(text: string, topic: string): void {
    const { keys, server } = this.#installation
    if (topic !== keys.server(server)) return this.#announcements.inChannel(topic, text)
    const [type = '', ...lines] = text.split('\n')
    if (type === 'epoch')
      return this.#link.cut(new Error('Redis has lost some of what was announced'))
    if (type === 'event') {
      const [users = '[]', ...event] = lines
      return this.#announcements.toUsers(JSON.parse(users) as UserName[], event.join('\n'))
    }
    if (type === 'settled') return this.#answers?.settled(lines.join('\n'))
    const [connId, number, channels = '[]'] = lines
    // Zero is what older servers say where the number of the newest event is said by now.
    const n = type === 'moved' ? undefined : Number(number) || undefined
    this.#announcements.command(n, () =>
      this.#holdings.told(
        type,
        connId as ConnId,
        Number(number),
        JSON.parse(channels) as ChannelName[],
      ),
    )
  }
}

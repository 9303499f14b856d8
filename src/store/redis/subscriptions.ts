import { chunksOf } from '../../lib/chunks.ts'
import { StoreUnavailable, isChannelTopic, nameInTopic, userTopic } from '../store.ts'
import { mergeInOrder } from './announcements.ts'
import { counted, readEvent, readPrivate } from './encoding.ts'
import { readMissed, sinceChunksOf, writeSince } from './missed.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { Missed, Since, Store, StoredEvent, Topic } from '../store.ts'
import type { Announcement } from './announcements.ts'
import type { Connection } from './connection.ts'
import type { MissedReply } from './missed.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Topics that are asked for in one command: a script holds up everybody else. */
const AT_ONCE = 100

type Listeners = { [Call in 'onEvent' | 'onGap']: Parameters<Store[Call]>[0] }

/** What was found out on a new connection. It is told once the connection is ready for everything that follows from it. */
interface Recovered {
  /** What was asked for. */
  readonly topics: ReadonlySet<Topic>
  readonly events: readonly Announcement[]
  /** Topics that have lost events, with the number of the newest lost one. */
  readonly lost: ReadonlyMap<Topic, number>
  /** Everything up to this number has been read or heard. */
  readonly head: number
}

/**
 * What is announced to this server: asks Redis for the topics that are listened to here, and hands on what comes in the
 * order of its numbers. What was announced while Redis could not be heard is read afterwards.
 */
export class Subscriptions {
  readonly listeners: Listeners = { onEvent: () => {}, onGap: () => {} }
  readonly #wanted = new Set<Topic>()
  /** Not wanted any more, but what was announced before is still on its way. */
  readonly #unlistening = new Set<Topic>()
  /** Everything up to this number that was announced on the topics has come. */
  #receivedThrough = 0
  /** What comes on a new connection waits until what was missed has been read. */
  #held: Announcement[] | undefined
  #recovered: Recovered = NOTHING
  /** Redis has lost its memory: nothing is known of events up to this number, on any topic. */
  #forgottenThrough: number | undefined
  /** Requests for channels that are not answered: the last one for each. */
  readonly #channelRequests = new Map<Topic, Promise<void>>()
  /** Users to listen to, or not to, that Redis is not yet asked for. */
  #usersToRequest = new Map<UserName, boolean>()
  #userRequest: Promise<void> | undefined
  /** Resolves with the topics that were asked for on a new connection, once that is ready. */
  #recovery = deferred()

  constructor(
    private readonly runner: ScriptRunner,
    private readonly redis: ReconnectingConnection,
  ) {}

  get receivedThrough(): number {
    return this.#receivedThrough
  }

  /** To be called with a newest number, once everything has come that was announced before it was told. */
  noteHead(head: number): void {
    if (!this.#held) this.#receivedThrough = Math.max(this.#receivedThrough, head)
  }

  /** Resolves once announcements come, which may be when Redis is back. */
  async listen(topic: Topic): Promise<void> {
    this.#wanted.add(topic)
    // Again where it was not wanted yet when the server began to come back.
    for (let isListening = false; !isListening && this.#wanted.has(topic);)
      try {
        await this.#request(topic, true)
        isListening = true
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        isListening = (await this.#recovery.promise).has(topic)
      }
  }

  /** What was announced before still comes. */
  async unlisten(topic: Topic): Promise<void> {
    this.#wanted.delete(topic)
    this.#unlistening.add(topic)
    try {
      await this.#request(topic, false)
      await this.redis.drainAnnouncements()
    } catch (error) {
      // With the connection everything is gone that was listened to, and only what is wanted is asked for again.
      if (!(error instanceof StoreUnavailable)) throw error
    } finally {
      this.#unlistening.delete(topic)
    }
  }

  /** Nobody waits for Redis any more. */
  stop(): void {
    this.#recovery.reject(new StoreUnavailable())
    this.#wanted.clear()
  }

  /** An event in a channel. */
  onChannelEvent(name: string, text: string): void {
    const topic = this.runner.keys.channelTopicOf(name)
    this.#onEvent(text, () => [readEvent(text, this.runner.epoch), [topic]])
  }

  /** An event for users. */
  onUserEvent(names: readonly UserName[], text: string): void {
    const topics = names.map(userTopic)
    this.#onEvent(text, () => [readPrivate(text, this.runner.epoch, names), topics])
  }

  /** Something is done to a connection. `n`: the number of the newest event then; undefined if it is not known. */
  onCommand(n: number | undefined, handle: () => void): void {
    this.#inOrder({ kind: 'command', n, handle })
  }

  async missed(since: readonly Since[]): Promise<Missed> {
    const replies = await Promise.all(
      sinceChunksOf(since).map((chunk) => this.runner.run('missed', ...writeSince(chunk))),
    )
    const missed = readMissed(since, replies as unknown as MissedReply[], this.runner.epoch)
    // What was read here is announced as well: whoever asked has to have it all, to tell each event once.
    await this.redis.drainAnnouncements()
    this.noteHead(missed.head)
    return missed
  }

  /** What concerns this server alone is heard on this connection from now on. */
  async listenToOwnTopic(connection: Connection): Promise<void> {
    const { server, keys } = this.runner
    await connection.subscribe([keys.server(server)])
  }

  /** From now on what comes is held, until `resume` has told what came before. */
  hold(): void {
    this.#held = []
    this.#recovered = NOTHING
  }

  /** Redis has lost its memory of everything up to this number. */
  forget(lostThrough: number): void {
    this.#receivedThrough = this.#forgottenThrough = lostThrough
  }

  /** Listens anew on a new connection, and reads what was announced since the last one was lost. */
  async recover(connection: Connection): Promise<void> {
    const topics = [...this.#wanted]
    const channels = topics.filter(isChannelTopic).map((topic) => this.#nameOf(topic))
    const users = topics.filter((topic) => !isChannelTopic(topic)).map(nameInTopic)
    for (const chunk of chunksOf(channels, AT_ONCE)) await connection.subscribe(chunk)
    for (const chunk of chunksOf(users, AT_ONCE))
      await this.runner.runOn(connection, 'listen', ...counted(chunk), 0)
    this.#recovered = await this.#readMissed(connection, topics)
  }

  /** The connection is ready: tells what was missed, and what was held meanwhile. */
  resume(): void {
    const { topics, events, lost, head } = this.#recovered
    const announcements = mergeInOrder(this.#held ?? [], events)
    this.#held = undefined
    this.#recovered = NOTHING
    this.#emitGap(lost, head, announcements)
    for (const { handle } of announcements) handle()
    this.#receivedThrough = Math.max(this.#receivedThrough, head)
    this.#recovery.resolve(topics)
    this.#recovery = deferred()
  }

  async #readMissed(connection: Connection, topics: readonly Topic[]): Promise<Recovered> {
    const since = topics.map((topic) => ({ topic, after: this.#receivedThrough }))
    const replies: MissedReply[] = []
    for (const chunk of sinceChunksOf(since))
      replies.push((await this.runner.runOn(connection, 'missed', ...writeSince(chunk))) as never)
    // Parts were read one after the other: what came after the first of them is heard as well.
    await connection.drainAnnouncements()
    const missed = readMissed(since, replies, this.runner.epoch)
    const events = missed.events.map((event): Announcement => {
      const heard = missed.topics.get(event.n) ?? []
      return { kind: 'event', n: event.n, handle: () => this.#announce(event, heard) }
    })
    return { topics: new Set(topics), events, lost: missed.lost, head: missed.head }
  }

  /** Before everything that comes. */
  #emitGap(
    lost: ReadonlyMap<Topic, number>,
    head: number,
    announcements: readonly Announcement[],
  ): void {
    const forgotten = this.#forgottenThrough
    this.#forgottenThrough = undefined
    const all =
      forgotten === undefined
        ? lost
        : new Map([...this.#wanted].map((topic) => [topic, lost.get(topic) ?? forgotten]))
    if (all.size === 0) return
    const first = announcements.find(({ kind }) => kind === 'event')?.n
    this.listeners.onGap({ lost: all, n: (first ?? head + 1) - 1, head })
  }

  #onEvent(text: string, read: () => [StoredEvent, readonly Topic[]]): void {
    this.#inOrder({ kind: 'event', n: parseInt(text), handle: () => this.#announce(...read()) })
  }

  #inOrder(announcement: Announcement): void {
    if (this.#held) this.#held.push(announcement)
    else announcement.handle()
  }

  #announce(event: StoredEvent, topics: readonly Topic[]): void {
    this.#receivedThrough = Math.max(this.#receivedThrough, event.n)
    const heard = topics.filter((topic) => this.#wanted.has(topic) || this.#unlistening.has(topic))
    if (heard.length > 0) this.listeners.onEvent(event, heard)
  }

  #nameOf(topic: Topic): string {
    return this.runner.keys.topicOf(nameInTopic(topic) as ChannelName)
  }

  async #request(topic: Topic, isWanted: boolean): Promise<void> {
    if (!isChannelTopic(topic)) {
      this.#usersToRequest.set(nameInTopic(topic) as UserName, isWanted)
      return (this.#userRequest ??= this.#requestUsers())
    }
    await this.#requestChannel(topic, isWanted)
  }

  /**
   * One request for a channel after the other: the client of Redis takes a channel for subscribed that is asked for between
   * the answers to an older request and to its withdrawal, and then forgets it with the withdrawal.
   */
  #requestChannel(topic: Topic, isWanted: boolean): Promise<void> {
    const names = [this.#nameOf(topic)]
    const ask = (): Promise<void> =>
      isWanted ? this.redis.subscribe(names) : this.redis.unsubscribe(names)
    const asked = this.#channelRequests.get(topic)?.then(ask, ask) ?? ask()
    const done = (): void => {
      if (this.#channelRequests.get(topic) === asked) this.#channelRequests.delete(topic)
    }
    this.#channelRequests.set(topic, asked)
    asked.then(done, done)
    return asked
  }

  /** Those of one turn at once: thousands come back in the same moment. */
  async #requestUsers(): Promise<void> {
    await Promise.resolve()
    const users = [...this.#usersToRequest]
    this.#usersToRequest = new Map()
    this.#userRequest = undefined
    await Promise.all(
      chunksOf(users, AT_ONCE).map((chunk) => {
        const named = (isWanted: boolean) =>
          chunk.filter((user) => user[1] === isWanted).map(([name]) => name)
        return this.runner.run('listen', ...counted(named(true)), ...counted(named(false)))
      }),
    )
  }
}

const NOTHING: Recovered = { topics: new Set(), events: [], lost: new Map(), head: 0 }

function deferred() {
  let resolve!: (topics: ReadonlySet<Topic>) => void
  let reject!: (error: Error) => void
  const promise = new Promise<ReadonlySet<Topic>>((onDone, onFailed) => {
    resolve = onDone
    reject = onFailed
  })
  promise.catch(() => {}) // whoever waits is told
  return { promise, resolve, reject }
}

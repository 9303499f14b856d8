import { chunksOf } from '../../lib/chunks.ts'
import { StoreUnavailable, isChannelTopic, nameInTopic, userTopic } from '../store.ts'
import { counted, readEvent, readPrivate } from './encoding.ts'
import { mergeInOrder } from './merge-in-order.ts'
import { readMissed, sinceChunksOf, writeSince } from './missed.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { Missed, Since, Store, StoredEvent, Topic } from '../store.ts'
import type { Connection } from './connection.ts'
import type { Announcement } from './merge-in-order.ts'
import type { MissedReply } from './missed.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Topics per command. A script blocks Redis, so it has to be short. */
const AT_ONCE = 100

type Listeners = { [Call in 'onEvent' | 'onGap']: Parameters<Store[Call]>[0] }

/** What was read on a new connection. It is announced when the connection is ready for all that follows from it. */
interface Recovered {
  /** The topics that were subscribed to. */
  readonly topics: ReadonlySet<Topic>
  readonly events: readonly Announcement[]
  /** Topics with lost events, with the number of the newest lost one. */
  readonly lost: ReadonlyMap<Topic, number>
  /** Everything up to this number has been read or received. */
  readonly head: number
}

/**
 * Subscribes to the topics that are listened to on this server, and passes on announcements in the order of their
 * numbers. After an outage of Redis, reads the events that were announced meanwhile.
 */
export class Subscriptions {
  readonly listeners: Listeners = { onEvent: () => {}, onGap: () => {} }
  readonly #wanted = new Set<Topic>()
  /** Topics that are not wanted any more, but whose earlier announcements may still arrive. */
  readonly #unlistening = new Set<Topic>()
  /** Everything that was announced on the topics up to this number has been received. */
  #receivedThrough = 0
  /** Announcements on a new connection, which wait until missed events have been read. */
  #held: Announcement[] | undefined
  #recovered: Recovered = NOTHING
  /** Redis has lost its data: events up to this number are lost on every topic. */
  #forgottenThrough: number | undefined
  /** The last pending request for each channel. */
  readonly #channelRequests = new Map<Topic, Promise<void>>()
  /** Users to listen to (true), or not (false), that are not yet requested. */
  #usersToRequest = new Map<UserName, boolean>()
  #userRequest: Promise<void> | undefined
  /** Resolves when a new connection is ready, with the topics that it subscribed to. */
  #recovery = deferred()

  constructor(
    private readonly runner: ScriptRunner,
    private readonly redis: ReconnectingConnection,
  ) {}

  get receivedThrough(): number {
    return this.#receivedThrough
  }

  isListening(topic: Topic): boolean {
    return this.#wanted.has(topic)
  }

  /** To be called with the newest number, when everything that was announced before has been received. */
  noteHead(head: number): void {
    if (!this.#held) this.#receivedThrough = Math.max(this.#receivedThrough, head)
  }

  /** Resolves when announcements arrive; if Redis is unavailable, when it is back. */
  async listen(topic: Topic): Promise<void> {
    this.#wanted.add(topic)
    // Repeats if the topic was not wanted yet when the reconnect began.
    for (let isListening = false; !isListening && this.#wanted.has(topic);)
      try {
        await this.#request(topic, true)
        isListening = true
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        isListening = (await this.#recovery.promise).has(topic)
      }
  }

  /** Earlier announcements still arrive. */
  async unlisten(topic: Topic): Promise<void> {
    this.#wanted.delete(topic)
    this.#unlistening.add(topic)
    try {
      await this.#request(topic, false)
      await this.redis.drainAnnouncements()
    } catch (error) {
      // All subscriptions ended with the connection, and only wanted topics are subscribed to again.
      if (!(error instanceof StoreUnavailable)) throw error
    } finally {
      this.#unlistening.delete(topic)
    }
  }

  /** Rejects pending calls of `listen`. */
  stop(): void {
    this.#recovery.reject(new StoreUnavailable())
    this.#wanted.clear()
  }

  /** Handles an event in a channel. */
  onChannelEvent(name: string, text: string): void {
    const topic = this.runner.keys.channelTopicOf(name)
    this.#onEvent(text, () => [readEvent(text, this.runner.epoch), [topic]])
  }

  /** Handles an event for users. */
  onUserEvent(names: readonly UserName[], text: string): void {
    const topics = names.map(userTopic)
    this.#onEvent(text, () => [readPrivate(text, this.runner.epoch, names), topics])
  }

  /** Handles a command about a connection. `n`: the number of the newest event when it was sent, if known. */
  onCommand(n: number | undefined, handle: () => void): void {
    this.#inOrder({ kind: 'command', n, handle })
  }

  async missed(since: readonly Since[], enough?: number): Promise<Missed> {
    const replies = await Promise.all(
      sinceChunksOf(since).map((chunk) => this.runner.run('missed', ...writeSince(chunk, enough))),
    )
    const missed = readMissed(since, replies as unknown as MissedReply[], this.runner.epoch)
    // Events that were read here are announced as well. Wait for these, so that the caller can drop duplicates.
    await this.redis.drainAnnouncements()
    this.noteHead(missed.head)
    return missed
  }

  /** Subscribes to messages for this server. */
  async listenToOwnTopic(connection: Connection): Promise<void> {
    const { server, keys } = this.runner
    await connection.subscribe([keys.server(server)])
  }

  /** Holds announcements from now on, until `resume` has passed on earlier ones. */
  hold(): void {
    this.#held = []
    this.#recovered = NOTHING
  }

  /** Notes that Redis has lost all events up to this number. */
  forget(lostThrough: number): void {
    this.#receivedThrough = this.#forgottenThrough = lostThrough
  }

  /** Subscribes on a new connection, and reads events that were announced since the last one was lost. */
  async recover(connection: Connection): Promise<void> {
    const topics = [...this.#wanted]
    const channels = topics.filter(isChannelTopic).map((topic) => this.#nameOf(topic))
    const users = topics.filter((topic) => !isChannelTopic(topic)).map(nameInTopic)
    for (const chunk of chunksOf(channels, AT_ONCE)) await connection.subscribe(chunk)
    for (const chunk of chunksOf(users, AT_ONCE))
      await this.runner.runOn(connection, 'listen', ...counted(chunk), 0)
    this.#recovered = await this.#readMissed(connection, topics)
  }

  /** Passes on missed events, and announcements that were held meanwhile. To be called when the connection is ready. */
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
    // The chunks are read one after the other. Events after the first chunk are received as announcements as well.
    await connection.drainAnnouncements()
    const missed = readMissed(since, replies, this.runner.epoch)
    const events = missed.events.map((event): Announcement => {
      const onTopics = missed.topics.get(event.n) ?? []
      return { kind: 'event', n: event.n, handle: () => this.#announce(event, onTopics) }
    })
    return { topics: new Set(topics), events, lost: missed.lost, head: missed.head }
  }

  /** Reports a gap before the announcements that follow. */
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
    const listened = topics.filter(
      (topic) => this.#wanted.has(topic) || this.#unlistening.has(topic),
    )
    if (listened.length > 0) this.listeners.onEvent(event, listened)
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
   * Sends requests for a channel one after the other. Otherwise the Redis client drops a subscription: if a channel is
   * requested between the replies to an older subscribe and to its unsubscribe, the client considers it subscribed, and
   * then removes it with the unsubscribe.
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

  /** Sends the requests of one turn of the event loop together: thousands of users may return at the same moment. */
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
  promise.catch(() => {}) // each caller of `listen` handles the rejection
  return { promise, resolve, reject }
}

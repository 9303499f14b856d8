import { StoreAway, isChannelTopic, nameInTopic, userTopic } from '../store.ts'
import { counted, readEvent, readPrivate } from './encoding.ts'
import { partsOf } from './parts.ts'
import type { Installation } from './installation.ts'
import type { Line, Link } from './link.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { Missed, Since, Store, StoredEvent, Topic } from '../store.ts'

/** Topics that are asked for in one command: a script holds up everybody else. */
const AT_ONCE = 100

type Listeners = { [Call in 'onEvent' | 'onGap']: Parameters<Store[Call]>[0] }

/**
 * What is announced to this server: asks Redis for the topics that are listened to here, and hands on what comes in the
 * order of its numbers. What was announced while Redis could not be heard is read afterwards.
 */
export class Announcements {
  readonly listeners: Listeners = { onEvent: () => {}, onGap: () => {} }
  readonly #wanted = new Set<Topic>()
  /** Not wanted any more, but what was announced before is still on its way. */
  readonly #ending = new Set<Topic>()
  /** Everything up to this number that was announced on the topics has come. */
  #heardThrough = 0
  /** Messages that wait until what was missed has been read. */
  #held: (() => void)[] | undefined
  /** What was read afterwards: it may be among what is held, too. */
  #read = new Set<number>()
  /** Requests for channels that are not answered: the last one for each. */
  readonly #asked = new Map<Topic, Promise<void>>()
  /** Users to listen to, or not to, that Redis is not yet asked for. */
  #users = new Map<UserName, boolean>()
  #usersAsked: Promise<void> | undefined
  #recovery = deferred()

  constructor(
    private readonly installation: Installation,
    private readonly link: Link,
  ) {}

  get heardThrough(): number {
    return this.#heardThrough
  }

  /** To be called with a newest number, once everything has come that was announced before it was told. */
  noteHead(head: number): void {
    if (!this.#held) this.#heardThrough = Math.max(this.#heardThrough, head)
  }

  /** Resolves once announcements come, which may be when Redis is back. */
  async listen(topic: Topic): Promise<void> {
    this.#wanted.add(topic)
    try {
      await this.#ask(topic, true)
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error
      await this.#recovery.promise
    }
  }

  /** What was announced before still comes. */
  async unlisten(topic: Topic): Promise<void> {
    this.#wanted.delete(topic)
    this.#ending.add(topic)
    try {
      await this.#ask(topic, false)
      await this.link.announced()
    } catch (error) {
      // With the connection everything is gone that was listened to, and only what is wanted is asked for again.
      if (!(error instanceof StoreAway)) throw error
    } finally {
      this.#ending.delete(topic)
    }
  }

  /** Nobody waits for Redis any more. */
  stop(): void {
    this.#recovery.reject(new StoreAway())
    this.#wanted.clear()
  }

  /** An event in a channel. */
  inChannel(name: string, text: string): void {
    const topic = this.installation.keys.channelTopicOf(name)
    this.inOrder(() => this.#live(readEvent(text, this.installation.epoch), [topic]))
  }

  /** An event for users. */
  toUsers(names: readonly UserName[], text: string): void {
    const topics = names.map(userTopic)
    this.inOrder(() => this.#live(readPrivate(text, this.installation.epoch, names), topics))
  }

  /** Whatever comes from Redis happens one after the other. */
  inOrder(happen: () => void): void {
    if (this.#held) this.#held.push(happen)
    else happen()
  }

  async missed(since: readonly Since[]): Promise<Missed> {
    const replies = await Promise.all(
      sincePartsOf(since).map((part) => this.installation.run('missed', ...writeSince(part))),
    )
    const missed = readMissed(since, replies as unknown as MissedReply[], this.installation.epoch)
    // What was read here is announced as well: whoever asked has to have it all, to tell each event once.
    await this.link.announced()
    this.noteHead(missed.head)
    return missed
  }

  /** From now on messages are held, until `recover` has told what came before them. */
  hold(): void {
    this.#held = []
  }

  /**
   * Listens anew on a new connection, and tells what was announced since the last one was lost. `lostThrough`: up to this
   * number nothing is known any more; undefined if Redis has kept its memory.
   */
  async recover(line: Line, lostThrough: number | undefined): Promise<void> {
    const topics = [...this.#wanted]
    const channels = topics.filter(isChannelTopic).map((topic) => this.#nameOf(topic))
    const users = topics.filter((topic) => !isChannelTopic(topic)).map(nameInTopic)
    const { server, keys } = this.installation
    for (const part of partsOf([keys.server(server), ...channels], AT_ONCE))
      await line.subscribe(part)
    for (const part of partsOf(users, AT_ONCE))
      await this.installation.runOn(line, 'listen', ...counted(part), 0)
    if (lostThrough === undefined) await this.#readMissed(line, topics)
    else {
      this.#heardThrough = lostThrough
      if (topics.length > 0) this.listeners.onGap(topics, lostThrough)
    }
  }

  /** Tells what was held. */
  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const happen of held) happen()
    this.#read = new Set()
    this.#recovery.resolve()
    this.#recovery = deferred()
  }

  async #readMissed(line: Line, topics: readonly Topic[]): Promise<void> {
    const since = topics.map((topic) => ({ topic, after: this.#heardThrough }))
    const replies: MissedReply[] = []
    for (const part of sincePartsOf(since))
      replies.push((await this.installation.runOn(line, 'missed', ...writeSince(part))) as never)
    await line.announced()
    const missed = readMissed(since, replies, this.installation.epoch)
    const [first] = missed.events
    if (missed.gaps.length > 0) this.listeners.onGap(missed.gaps, (first?.n ?? missed.head + 1) - 1)
    // Parts were read one after the other: what came after the first of them is heard as well, and told in its place.
    const events = missed.events.filter(({ n }) => n <= missed.head)
    for (const event of events) this.#announce(event, missed.topics.get(event.n) ?? [])
    this.#read = new Set(events.map(({ n }) => n))
    this.#heardThrough = Math.max(this.#heardThrough, missed.head)
  }

  #live(event: StoredEvent, topics: readonly Topic[]): void {
    if (this.#read.has(event.n)) return
    this.#heardThrough = Math.max(this.#heardThrough, event.n)
    this.#announce(event, topics)
  }

  #announce(event: StoredEvent, topics: readonly Topic[]): void {
    const heard = topics.filter((topic) => this.#wanted.has(topic) || this.#ending.has(topic))
    if (heard.length > 0) this.listeners.onEvent(event, heard)
  }

  #nameOf(topic: Topic): string {
    return this.installation.keys.topicOf(nameInTopic(topic) as ChannelName)
  }

  async #ask(topic: Topic, isWanted: boolean): Promise<void> {
    if (!isChannelTopic(topic)) {
      this.#users.set(nameInTopic(topic) as UserName, isWanted)
      return (this.#usersAsked ??= this.#askForUsers())
    }
    await this.#askForChannel(topic, isWanted)
  }

  /**
   * One request for a channel after the other: the client of Redis takes a channel for subscribed that is asked for between
   * the answers to an older request and to its withdrawal, and then forgets it with the withdrawal.
   */
  #askForChannel(topic: Topic, isWanted: boolean): Promise<void> {
    const names = [this.#nameOf(topic)]
    const ask = (): Promise<void> =>
      isWanted ? this.link.subscribe(names) : this.link.unsubscribe(names)
    const asked = this.#asked.get(topic)?.then(ask, ask) ?? ask()
    const done = (): void => {
      if (this.#asked.get(topic) === asked) this.#asked.delete(topic)
    }
    this.#asked.set(topic, asked)
    asked.then(done, done)
    return asked
  }

  /** Those of one turn at once: thousands come back in the same moment. */
  async #askForUsers(): Promise<void> {
    await Promise.resolve()
    const users = [...this.#users]
    this.#users = new Map()
    this.#usersAsked = undefined
    await Promise.all(
      partsOf(users, AT_ONCE).map((part) => {
        const named = (isWanted: boolean) =>
          part.filter((user) => user[1] === isWanted).map(([name]) => name)
        return this.installation.run('listen', ...counted(named(true)), ...counted(named(false)))
      }),
    )
  }
}

type MissedReply = readonly [head: number, found: readonly FoundReply[], gaps: readonly number[]]
type FoundReply = readonly [place: number, ...events: string[]]

/** At least one, which may be empty: the head is asked for in any case. */
const sincePartsOf = (since: readonly Since[]): (readonly Since[])[] =>
  since.length === 0 ? [[]] : partsOf(since, AT_ONCE)

const writeSince = (since: readonly Since[]): (string | number)[] => [
  since.length,
  ...since.flatMap(({ topic, after }) => {
    const kind = isChannelTopic(topic) ? 'c' : 'u'
    return [kind, nameInTopic(topic), after]
  }),
]

/** Of parts, in their order. `topics`: those that each event was announced on, by its number. */
function readMissed(
  since: readonly Since[],
  replies: readonly MissedReply[],
  epoch: string,
): Missed & { readonly topics: ReadonlyMap<number, readonly Topic[]> } {
  const topicAt = (part: number, place: number) => (since[part * AT_ONCE + place] as Since).topic
  const topics = new Map<number, Topic[]>()
  const texts = new Map<number, string>()
  for (const [part, [, found]] of replies.entries())
    for (const [place, ...events] of found)
      for (const text of events) {
        const n = parseInt(text)
        texts.set(n, text)
        const known = topics.get(n)
        if (known) known.push(topicAt(part, place))
        else topics.set(n, [topicAt(part, place)])
      }
  const numbers = [...texts.keys()].sort((one, other) => one - other)
  const events = numbers.map((n) => readOn(topics.get(n) ?? [], texts.get(n) ?? '', epoch))
  const gaps = replies.flatMap(([, , places], part) => places.map((place) => topicAt(part, place)))
  return { events, gaps, head: Math.min(...replies.map(([number]) => number)), topics }
}

/** An event is on the topic of a channel, or on those of users. */
const readOn = (topics: readonly Topic[], text: string, epoch: string): StoredEvent =>
  topics.some(isChannelTopic)
    ? readEvent(text, epoch)
    : readPrivate(text, epoch, topics.map(nameInTopic) as UserName[])

function deferred() {
  let resolve!: () => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((onDone, onFailed) => {
    resolve = onDone
    reject = onFailed
  })
  promise.catch(() => {}) // whoever waits is told
  return { promise, resolve, reject }
}

import { isChannelTopic, nameInTopic } from '../store.ts'
import { NOBODY, recipientsIn } from './log.ts'
import type { PacedQueue } from '../../lib/paced-queue.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type * as Contract from '../store.ts'
import type { RecipientCounts } from './log.ts'
import type { Channel, User } from './records.ts'
import type { Tables } from './tables.ts'

interface When {
  /** Wall time, for people. */
  readonly now: number
  /** By the clock, for deadlines. */
  readonly at: number
}

/** When events are announced. */
export interface Announcements extends Pick<PacedQueue, 'run' | 'drained'> {
  /**
   * Commands, which make somebody listen, wait in the same queue. So it is not known before whether an event has listeners:
   * who is announced to has to check that.
   */
  readonly haveCommands?: boolean
}

/**
 * Numbers, stores and announces events. Implements calls of the contract, see `../store.ts`.
 *
 * All events of a call are numbered and stored in one step. They are announced in the same step unless that takes long:
 * there may be thousands of events, each for thousands of connections.
 */
export class Publishing {
  readonly listenedTopics = new Set<Contract.Topic>()
  messages = 0
  deliveries = 0

  constructor(
    private readonly tables: Tables,
    private readonly announcements: Announcements,
    private readonly announce: (
      event: Contract.StoredEvent,
      topics: readonly Contract.Topic[],
    ) => void,
  ) {}

  /** Resolves when all events are announced. Undefined if they are. */
  publish(publications: readonly Contract.Publication[]): Promise<void> | undefined {
    this.add(publications)
    return this.announcements.drained()
  }

  publishAndCount(
    messages: readonly Contract.Publication[],
  ): Contract.Awaitable<readonly Contract.Recipients[]> {
    const counted: Contract.Recipients[] = []
    this.add(messages, (recipients) => void counted.push(recipients))
    return this.announcements.drained()?.then(() => counted) ?? counted
  }

  /** Like `publish`, for callers that do not wait for the announcements. `onCounted`: called for each publication. */
  add(
    publications: readonly Contract.Publication[],
    onCounted?: (recipients: Contract.Recipients) => void,
  ): void {
    const { clock } = this.tables
    const when = { now: clock.wallTime(), at: clock.now() }
    for (const publication of publications) {
      const { body, users, channels } = publication
      if (body.type === 'message') this.messages++
      if (users) {
        const counts = this.#toUsers(publication, users)
        onCounted?.({ ...counts, unknownChannels: [] })
      } else if (channels || onCounted) {
        const names = channels ?? (body.channel === null ? [] : [body.channel])
        const recipients = this.#inChannels(publication, names, when)
        onCounted?.(recipients)
      } else if (body.channel !== null) this.#inChannel(publication, body.channel, when)
    }
  }

  /** Resolves when all returned events are announced, so that the core can tell which of them it got both ways. */
  missed(since: readonly Contract.Since[], enough = Infinity): Contract.Awaitable<Contract.Missed> {
    const missed = this.#missedNow(since, Math.max(1, Math.ceil(enough / SMALL_EVENT_BYTES)))
    return this.announcements.drained()?.then(() => missed) ?? missed
  }

  /** `most`: events of each topic. */
  #missedNow(since: readonly Contract.Since[], most: number): Contract.Missed {
    const { head } = this.tables.log
    const now = this.tables.clock.now()
    const events = new Map<number, Contract.StoredEvent>()
    const lost = new Map<Contract.Topic, number>()
    let through = head
    for (const { topic, after } of since) {
      const holder = this.#holderOf(topic)
      if (!holder) continue
      const { frames } = holder
      const expired = 'expiredAt' in holder ? frames.newestUntil(holder.expiredAt(now)) : 0
      const lostThrough = Math.max(frames.lostThrough, expired)
      if (after < lostThrough) lost.set(topic, lostThrough)
      const found = frames.after(Math.max(after, expired), most)
      for (const event of found) events.set(event.n, event)
      const last = found.at(-1)?.n ?? head
      if (last < frames.newest) through = Math.min(through, last)
    }
    const inOrder = [...events.values()].sort((one, other) => one.n - other.n)
    const read = through < head ? inOrder.filter(({ n }) => n <= through) : inOrder
    return { events: read, gaps: [...lost.keys()], lost, head, through }
  }

  #inChannels(
    publication: Contract.Publication,
    names: readonly ChannelName[],
    when: When,
  ): Contract.Recipients {
    const unknownChannels: ChannelName[] = []
    let [connections, users] = [0, 0]
    for (const name of names) {
      const counts = this.#inChannel(publication, name, when)
      if (!counts) unknownChannels.push(name)
      connections += counts?.connections ?? 0
      users += counts?.users ?? 0
    }
    return { connections, users, unknownChannels }
  }

  /** Returns the recipients of a message. Undefined if there is no such channel. */
  #inChannel(
    publication: Contract.Publication,
    name: ChannelName,
    { now, at }: When,
  ): RecipientCounts | undefined {
    const { body, delivery } = publication
    const { channels, expiry, log, webhooks } = this.tables
    const channel = channels.get(name)
    if (!channel) return undefined
    const counts = body.type === 'message' ? recipientsIn(channel, delivery) : NOBODY
    this.deliveries += counts.connections
    channel.lastActive = now
    if (channel.connections === 0) expiry.channelChanged(channel)
    const event = log.numberIn(channel, publication)
    webhooks?.tellMessage(event, channel)
    log.toChannel(channel, event, at)
    expiry.contentAdded(channel, at)
    if (this.#mayBeHeard(channel.topic))
      this.#announce(publication.channels ? { ...event, publication } : event, [channel.topic])
    return counts
  }

  #toUsers(publication: Contract.Publication, names: readonly UserName[]): RecipientCounts {
    const { expiry, log, webhooks } = this.tables
    const known = [...new Set(names)].flatMap((name) => this.tables.users.get(name) ?? [])
    if (known.length === 0) return NOBODY
    const event = log.number(publication)
    webhooks?.tellMessage(event)
    let [connections, users] = [0, 0]
    for (const user of known) {
      connections += user.connections.length
      if (user.connections.length === 0) expiry.userChanged(user)
      else users++
      log.toUser(user, event)
    }
    if (event.body.type === 'message') this.deliveries += connections
    const topics = known.map(({ topic }) => topic).filter((topic) => this.#mayBeHeard(topic))
    if (topics.length > 0) this.#announce(event, topics)
    return { connections, users }
  }

  #announce(event: Contract.StoredEvent, topics: readonly Contract.Topic[]): void {
    this.announcements.run(() => this.announce(event, topics))
  }

  /** Whether somebody may listen to the topic when the event is announced. */
  #mayBeHeard(topic: Contract.Topic): boolean {
    return this.announcements.haveCommands === true || this.listenedTopics.has(topic)
  }

  #holderOf(topic: Contract.Topic): Channel | User | undefined {
    const name = nameInTopic(topic)
    const { channels, users } = this.tables
    return isChannelTopic(topic) ? channels.get(name as ChannelName) : users.get(name as UserName)
  }
}

/** The size of a small event. This many bytes contain no more events than these. */
const SMALL_EVENT_BYTES = 128

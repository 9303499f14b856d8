/** Fills the tables of a memory store with what data files say. Publishes nothing, and appends nothing to the queue of webhooks. */
import { Channel, Connection, User } from '../memory/records.ts'
import { NEVER_OPENED } from './lines.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { MemoryStore } from '../memory/store.ts'
import type { ChannelImage, ConnectionImage, Image, UserImage } from './image.ts'
import type { StoreTime } from './store-time.ts'

export interface RestoreRules {
  readonly time: StoreTime
  /** How long a connection waits for its client: one that had a stream open, and any other. */
  readonly streamWaitMs: number
  readonly pollWaitMs: number
}

type Inside = Pick<MemoryStore, 'tables' | 'publishing' | 'webhookQueue'>

export function restore(memory: Inside, image: Image, rules: RestoreRules): void {
  const { facts } = image
  const { tables, publishing, webhookQueue } = memory
  tables.log.restore(facts.head, facts.forgottenThrough)
  publishing.messages = facts.messages
  publishing.deliveries = facts.deliveries
  const restoring = new Restoring(memory, rules, image.downMs)
  const inOrder = [...image.channels].sort(([, one], [, other]) => one.ordinal - other.ordinal)
  for (const [name, channel] of inOrder) restoring.channel(name, channel)
  for (const [name, user] of image.users) restoring.user(name, user)
  for (const [id, connection] of image.connections) restoring.connection(id, connection)
  restoring.deadlines(image)
  const queued = [...image.queued.values()].filter(({ n }) => n >= image.oldestQueued)
  queued.sort((one, other) => one.n - other.n)
  webhookQueue?.restore(facts.newestQueued, queued, image.endpoints)
}

class Restoring {
  constructor(
    private readonly memory: Inside,
    private readonly rules: RestoreRules,
    private readonly downMs: number,
  ) {}

  channel(name: ChannelName, image: ChannelImage): void {
    const { tables } = this.memory
    const { uuid, at, ordinal, settings, lostThrough } = image
    const { longHistory } = tables.options
    const channel = new Channel(name, settings, { at, ordinal, lostThrough, longHistory, uuid })
    channel.lastActive = image.lastActive
    channel.webhookSeq = image.webhookSeq
    for (const [who, floor] of image.floors) channel.floors.restore(who, floor)
    const shown = image.history.from(image.oldest ?? Infinity)
    if (shown.events.length > 0) channel.history.restore(shown.events, this.#aged(shown.times))
    const replayed = image.frames.from(lostThrough + 1)
    if (replayed.events.length > 0)
      channel.frames.restore(replayed.events, this.#aged(replayed.times))
    tables.restoreChannel(channel)
  }

  user(name: UserName, image: UserImage): void {
    const { lostThrough, uuid } = image
    const user = new User(name, lostThrough, uuid)
    user.state = image.state
    user.publicKeys = image.publicKeys
    user.webhookSeq = image.webhookSeq
    const events = [...(image.frames?.values() ?? [])].sort((one, other) => one.n - other.n)
    for (const event of events) if (event.n > lostThrough) user.frames.push(event, Infinity)
    this.memory.tables.users.set(name, user)
  }

  connection(id: ConnId, image: ConnectionImage): void {
    const { user: name, cursor, opened, wasStreaming, since } = image
    const { tables } = this.memory
    const user = tables.users.get(name)
    if (!user) throw new Error('a connection has no user')
    const connection = new Connection(id, user, cursor)
    connection.returning = opened !== NEVER_OPENED
    if (user.connections.length === 0) tables.connectedUsers++
    user.add(connection)
    tables.connections.set(id, connection)
    for (let place = 0; place + 1 < since.length; place += 2)
      this.#join(connection, since[place] as ChannelName, since[place + 1] as number)
    const { streamWaitMs, pollWaitMs } = this.rules
    tables.expiry.connectionWaits(connection, wasStreaming ? streamWaitMs : pollWaitMs)
  }

  /** Deadlines of users without connections, of channels without members, and of content. */
  deadlines(image: Image): void {
    const { tables } = this.memory
    for (const user of tables.users.values())
      if (user.connections.length === 0)
        tables.expiry.restore(user, this.#timeLeft(image.users.get(user.name)?.due))
    for (const channel of tables.channels.values()) {
      if (channel.connections === 0)
        tables.expiry.restore(channel, this.#timeLeft(image.channels.get(channel.name)?.due))
      tables.expiry.contentChanged(channel)
    }
  }

  #join(connection: Connection, name: ChannelName, since: number): void {
    const channel = this.memory.tables.channels.get(name)
    if (!channel) throw new Error('a connection is in a channel that does not exist')
    connection.channels.set(channel, since)
    if (channel.add(connection.user)) connection.user.channels++
  }

  #timeLeft(due: number | null | undefined): number {
    return (due ?? 0) - this.rules.time.now()
  }

  #aged(published: readonly number[]): number[] {
    return published.map((at) => this.rules.time.toClock(at - this.downMs))
  }
}

import { CLOSE } from '../../protocol/close-codes.ts'
import { channelTopic, isChannelTopic, nameInTopic } from '../../store/store.ts'
import { liveEvent, maySee } from '../delivery/outgoing-event.ts'
import { gapEvent, sortedByNumber } from './catch-up.ts'
import type { Clock } from '../../lib/clock.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { Awaitable, Since, Store, StoredEvent, Topic } from '../../store/store.ts'
import type { LiveConnection } from '../delivery/connection.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { OutgoingEvent } from '../delivery/outgoing-event.ts'
import type { Registry } from '../delivery/registry.ts'

interface LateJoinsDeps {
  readonly store: Pick<Store, 'epoch' | 'missed'>
  readonly clock: Clock
  readonly registry: Registry
  readonly outbox: Outbox
  readonly expel: (connection: LiveConnection, reason: CloseReason) => void
}

/** Events read from channels that a connection has just joined. */
interface Reading {
  /** By number. */
  readonly events: Map<number, StoredEvent>
  /** Channels that have lost events since the join. */
  readonly gaps: Since[]
  head: number
}

/**
 * Subscribes a connection that a client has open to the channels it joins.
 *
 * Over a network, the store begins to announce a channel here some time after the join. Events published in between are
 * read afterwards. Until then all events for the connection wait at its gate, so that they are sent in order.
 */
export class LateJoins {
  constructor(private readonly deps: LateJoinsDeps) {}

  /** Unsubscribes from all other channels, then follows these. */
  followOnly(connection: LiveConnection, channels: readonly Since[]): Awaitable<void> {
    const { registry } = this.deps
    const wanted = new Set(channels.map(({ topic }) => topic))
    for (const topic of topicsOf(connection))
      if (isChannelTopic(topic) && !wanted.has(topic)) registry.unsubscribe(connection, topic)
    return this.follow(connection, channels)
  }

  /** Subscribes, and reads the events since the join of channels that the connection was not subscribed to. */
  follow(connection: LiveConnection, joined: readonly Since[]): Awaitable<void> {
    const known = new Set(topicsOf(connection))
    const subscribed = joined.map(({ topic, after }) =>
      this.deps.registry.subscribe(connection, topic, after),
    )
    const late = joined.filter(({ topic }) => !known.has(topic))
    if (late.length === 0 || !subscribed.some((work) => work instanceof Promise)) return
    if (connection.lateJoins) connection.lateJoins.push(...late)
    // A gate without late joins means a pending attach. The join has marked it stale, so it reads this channel too.
    else if (!connection.gate) return this.#readAll(connection, late)
  }

  async #readAll(connection: LiveConnection, late: Since[]): Promise<void> {
    connection.lateJoins = late
    connection.gate = []
    try {
      const reading = await this.#read(connection, late)
      if (reading) this.#openGate(connection, reading)
    } catch (error) {
      // The client reconnects and catches up then.
      if (connection.lateJoins === late) this.deps.expel(connection, CLOSE.unavailable)
      throw error
    }
  }

  /** Undefined if another client took over the connection, or it was closed. */
  async #read(connection: LiveConnection, late: Since[]): Promise<Reading | undefined> {
    const { store, registry } = this.deps
    const reading: Reading = { events: new Map(), gaps: [], head: 0 }
    while (late.length > 0) {
      const since = late.splice(0)
      await Promise.all(since.map(async ({ topic }) => registry.ready(topic)))
      const { events, gaps, head } = await store.missed(since)
      if (connection.lateJoins !== late) return undefined
      for (const event of events) reading.events.set(event.n, event)
      reading.gaps.push(...since.filter(({ topic }) => gaps.includes(topic)))
      reading.head = head
    }
    return reading
  }

  /** Sends all events as live, also those that were read: the client was attached all the time. */
  #openGate(connection: LiveConnection, { events, gaps, head }: Reading): void {
    const announced = (connection.gate ?? []).filter(
      ({ n, type }) => type === 'gap' || !events.has(n),
    )
    connection.lateJoins = undefined
    connection.gate = undefined
    const read = [...events.values()].filter((event) => this.#isFor(connection, event))
    const outgoing = sortedByNumber(read.map(liveEvent), announced)
    const topics = gaps
      .filter((since) => this.#isStillMissed(connection, since))
      .map(({ topic }) => topic)
      .filter((topic) => !announced.some((event) => isGapOf(event, topic)))
    if (topics.length > 0) {
      outgoing.unshift(gapEvent(this.deps, (outgoing[0]?.n ?? head + 1) - 1, topics))
    }
    for (const event of outgoing) this.deps.outbox.push(connection, event)
  }

  /** The connection may have left the channel meanwhile, or left and joined it again. */
  #isFor(connection: LiveConnection, event: StoredEvent): boolean {
    const { channel } = event.body
    const listeners =
      channel === null ? undefined : this.deps.registry.listenersOf(channelTopic(channel))
    return (
      listeners !== undefined &&
      connection.mayReceive(listeners, event.n) &&
      maySee(connection.user, event)
    )
  }

  #isStillMissed(connection: LiveConnection, { topic, after }: Since): boolean {
    const listeners = this.deps.registry.listenersOf(topic)
    return listeners !== undefined && connection.subscriptionTo(listeners)?.after === after
  }
}

const isGapOf = ({ body }: OutgoingEvent, topic: Topic): boolean =>
  body.type === 'gap' && (body['channels'] as string[]).includes(nameInTopic(topic))

const topicsOf = ({ subscriptions }: LiveConnection) =>
  subscriptions.map(({ listeners }) => listeners.topic)

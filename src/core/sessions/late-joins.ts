import { CLOSE } from '../../protocol/close-codes.ts'
import { channelTopic, isChannelTopic, nameInTopic } from '../../store/store.ts'
import { liveEvent, maySee } from '../delivery/outgoing-event.ts'
import { gapEvent, mergeByNumber } from './catch-up.ts'
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

/** What was read of channels that a connection has just joined. */
interface Reading {
  /** By number. */
  readonly events: Map<number, StoredEvent>
  /** Channels of which something is lost since the joining. */
  readonly gaps: Since[]
  head: number
}

/**
 * Lets a connection that a client has open follow the channels that it is made to join.
 *
 * A store across a network begins to announce a channel here only some time after the joining. What is announced in
 * between is read afterwards; until then whatever else comes for the connection waits, so that it comes in order.
 */
export class LateJoins {
  constructor(private readonly deps: LateJoinsDeps) {}

  /** Leaves all other channels as well. */
  followOnly(connection: LiveConnection, channels: readonly Since[]): Awaitable<void> {
    const { registry } = this.deps
    const wanted = new Set(channels.map(({ topic }) => topic))
    for (const topic of topicsOf(connection))
      if (isChannelTopic(topic) && !wanted.has(topic)) registry.unsubscribe(connection, topic)
    return this.follow(connection, channels)
  }

  /** What was announced in these channels since they were joined is read, unless they were listened to here before. */
  follow(connection: LiveConnection, joined: readonly Since[]): Awaitable<void> {
    const known = new Set(topicsOf(connection))
    const begun = joined.map(({ topic, after }) =>
      this.deps.registry.subscribe(connection, topic, after),
    )
    const late = joined.filter(({ topic }) => !known.has(topic))
    if (late.length === 0 || !begun.some((work) => work instanceof Promise)) return
    if (connection.lateJoins) connection.lateJoins.push(...late)
    // With a gate and nothing late, all its channels are being read, and will be again because of this one.
    else if (!connection.gate) return this.#readAll(connection, late)
  }

  async #readAll(connection: LiveConnection, late: Since[]): Promise<void> {
    connection.lateJoins = late
    connection.gate = []
    try {
      const reading = await this.#read(connection, late)
      if (reading) this.#openGate(connection, reading)
    } catch (error) {
      // It comes back, and catches up then.
      if (connection.lateJoins === late) this.deps.expel(connection, CLOSE.unavailable)
      throw error
    }
  }

  /** Undefined: another client took the connection over, or it has gone. */
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

  /** To a client that is there everything is told as live, what was read as well. */
  #openGate(connection: LiveConnection, { events, gaps, head }: Reading): void {
    const announced = (connection.gate ?? []).filter(
      ({ n, type }) => type === 'gap' || !events.has(n),
    )
    connection.lateJoins = undefined
    connection.gate = undefined
    const read = [...events.values()].filter((event) => this.#isFor(connection, event))
    const told = mergeByNumber(read.map(liveEvent), announced)
    const topics = gaps
      .filter((since) => this.#isStillMissed(connection, since))
      .map(({ topic }) => topic)
      .filter((topic) => !announced.some((event) => tellsGapOf(event, topic)))
    if (topics.length > 0) {
      told.unshift(gapEvent(this.deps, (told[0]?.n ?? head + 1) - 1, topics))
    }
    for (const event of told) this.deps.outbox.push(connection, event)
  }

  /** It may have left the channel again meanwhile, or joined it anew. */
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

const tellsGapOf = ({ body }: OutgoingEvent, topic: Topic): boolean =>
  body.type === 'gap' && (body['channels'] as string[]).includes(nameInTopic(topic))

const topicsOf = ({ subscriptions }: LiveConnection) =>
  subscriptions.map(({ listeners }) => listeners.topic)

import { CLOSE } from '../protocol/close-codes.ts'
import { isChannelTopic } from '../store/store.ts'
import { inOrder } from './catchup.ts'
import { liveEvent, maySee } from './outgoing-event.ts'
import type { Awaitable, Since, Store, StoredEvent } from '../store/store.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { LiveConnection } from './connection.ts'
import type { Outbox } from './outbox.ts'
import type { Registry } from './registry.ts'

interface Parts {
  readonly store: Pick<Store, 'missed'>
  readonly registry: Registry
  readonly outbox: Outbox
  readonly expel: (connection: LiveConnection, reason: CloseReason) => void
}

/**
 * Lets a connection that a client has open follow the channels that it is made to join.
 *
 * A store across a network begins to announce a channel here only some time after the joining. What is announced in
 * between is read afterwards; until then whatever else comes for the connection waits, so that it comes in order.
 */
export class Follower {
  constructor(private readonly parts: Parts) {}

  /** Leaves all other channels as well. */
  followOnly(connection: LiveConnection, channels: readonly Since[]): Awaitable<void> {
    const { registry } = this.parts
    const known = new Set(connection.subscriptions.map(({ listeners }) => listeners.topic))
    const wanted = new Set(channels.map(({ topic }) => topic))
    for (const topic of known)
      if (isChannelTopic(topic) && !wanted.has(topic)) registry.unsubscribe(connection, topic)
    const more = channels.filter(({ topic }) => !known.has(topic))
    if (more.length > 0) return this.follow(connection, more)
  }

  /** What was announced in these channels since they were joined is read, unless they were listened to here before. */
  follow(connection: LiveConnection, joined: readonly Since[]): Awaitable<void> {
    const begun = joined.map(({ topic }) => this.parts.registry.subscribe(connection, topic))
    if (!begun.some((work) => work instanceof Promise)) return
    const late = [...joined]
    if (connection.late) connection.late.push(...late)
    // With a gate and nothing late, all its channels are being read, and will be anew because of this one.
    else if (!connection.gate) return this.#readAll(connection, late)
  }

  async #readAll(connection: LiveConnection, late: Since[]): Promise<void> {
    connection.late = late
    connection.gate = []
    try {
      await this.#catchUp(connection, late)
    } catch (error) {
      // It comes back, and catches up then.
      if (connection.late === late) this.parts.expel(connection, CLOSE.unavailable)
      throw error
    }
  }

  async #catchUp(connection: LiveConnection, late: Since[]): Promise<void> {
    const { store, registry, outbox } = this.parts
    const read = new Map<number, StoredEvent>()
    while (late.length > 0) {
      const since = late.splice(0)
      await Promise.all(since.map(async ({ topic }) => registry.subscribe(connection, topic)))
      const { events } = await store.missed(since)
      if (connection.late !== late) return // another client took it over, or it has gone
      for (const event of events) read.set(event.n, event)
    }
    const live = (connection.gate ?? []).filter(({ n }) => !read.has(n))
    const missed = [...read.values()].filter((event) => maySee(connection.user, event))
    connection.late = undefined
    connection.gate = undefined
    for (const event of inOrder(missed.map(liveEvent), live)) outbox.push(connection, event)
  }
}

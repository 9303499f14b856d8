import { isListed } from '../../lib/name-list.ts'
import { isChannelTopic, userTopic } from '../../store/store.ts'
import { Guest } from './guest.ts'
import { liveEvent } from './outgoing-event.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { Gap, StoredEvent, Topic } from '../../store/store.ts'
import type { Listeners, LiveConnection, Subscription } from './connection.ts'
import type { Outbox } from './outbox.ts'
import type { OutgoingEvent } from './outgoing-event.ts'
import type { Registry } from './registry.ts'

/** Delivers announced events to the connections of this server that may receive them. */
export class FanOut {
  constructor(
    private readonly registry: Registry,
    private readonly outbox: Outbox,
  ) {}

  /** Must be called in the order of event numbers: every connection gets its events in the order of calls. */
  deliver(event: StoredEvent, topics: readonly Topic[]): void {
    const outgoing = liveEvent(event)
    for (const topic of topics) {
      const listeners = this.registry.listenersOf(topic)
      if (listeners) this.#deliverOn(listeners, event, outgoing)
    }
  }

  /**
   * Sends a `gap` to the connections that were subscribed when events were lost. Guests get none: they have no
   * guarantee.
   */
  announceGap(
    { lost, head }: Gap,
    gapEvent: (topics: readonly Topic[]) => OutgoingEvent,
    markStale: (connection: LiveConnection) => void,
  ): void {
    const affected = new Map<LiveConnection, Topic[]>()
    for (const [topic, through] of lost) {
      const listeners = this.registry.listenersOf(topic)
      listeners?.renumber(head)
      for (const { connection, after } of listeners?.subscriptions ?? []) {
        if (after >= through || connection instanceof Guest) continue
        const known = affected.get(connection)
        if (known) known.push(topic)
        else affected.set(connection, [topic])
      }
    }
    for (const [connection, topics] of affected) {
      // A pending attach finds the gap itself when it reads the missed events again.
      const isOpening = connection.gate !== undefined && connection.lateJoins === undefined
      if (isOpening) markStale(connection)
      else this.outbox.push(connection, gapEvent(topics))
    }
  }

  #deliverOn(listeners: Listeners, { delivery }: StoredEvent, event: OutgoingEvent): void {
    const { pmUsers, excludeUsers } = delivery
    if (pmUsers.length > 0 && isChannelTopic(listeners.topic)) {
      const users = new Set(pmUsers)
      for (const name of excludeUsers) users.delete(name)
      for (const name of users) this.#deliverToUser(name, listeners, event)
    } else if (excludeUsers.length > 0) {
      this.#push(listeners, event, ({ connection }) => !isListed(excludeUsers, connection.user))
    } else {
      this.#push(listeners, event, everyone)
    }
  }

  /** Looks up the user's own topic: a private message in a large channel must not scan all subscribers. */
  #deliverToUser(name: UserName, channel: Listeners, event: OutgoingEvent): void {
    const guest = this.registry.guests.get(name)
    if (guest?.mayReceive(channel, event.n) === true) this.outbox.push(guest, event)
    const own = this.registry.listenersOf(userTopic(name))
    if (own) this.#push(own, event, ({ connection }) => connection.mayReceive(channel, event.n))
  }

  /** Runs backwards: a push can close a slow consumer, and the array's last entry, already served, takes its place. */
  #push(listeners: Listeners, event: OutgoingEvent, isFor: Filter): void {
    const { subscriptions } = listeners
    const isForAll = listeners.haveAllStartedBefore(event.n)
    for (let index = subscriptions.length - 1; index >= 0; index--) {
      const subscription = subscriptions[index]
      if (!subscription || !isFor(subscription)) continue
      if (isForAll || subscription.after < event.n) this.outbox.push(subscription.connection, event)
    }
  }
}

type Filter = (subscription: Subscription) => boolean
const everyone: Filter = () => true

import { Guest } from './guests.ts'
import { liveEvent } from './outgoing-event.ts'
import { isChannelTopic, userTopic } from '../store/store.ts'
import type { Listeners, LiveConnection } from './connection.ts'
import type { Registry } from './registry.ts'
import type { Outbox } from './outbox.ts'
import type { OutgoingEvent } from './outgoing-event.ts'
import type { StoredEvent, Topic } from '../store/store.ts'
import type { UserName } from '../protocol/ids.ts'

/** Hands announced events to the connections of this server that may have them. */
export class Deliverer {
  constructor(
    private readonly registry: Registry,
    private readonly outbox: Outbox,
  ) {}

  /** To be called for each event in the order of their numbers: that order is kept on every connection. */
  deliver(event: StoredEvent, topics: readonly Topic[]): void {
    const outgoing = liveEvent(event)
    for (const topic of topics) {
      const listeners = this.registry.listenersOf(topic)
      if (listeners) this.#deliverOn(listeners, event, outgoing)
    }
  }

  /** Tells whoever listens to one of these topics that events on them are lost. A guest is promised nothing. */
  tellGap(topics: readonly Topic[], gap: (topics: readonly Topic[]) => OutgoingEvent): void {
    const lost = new Map<LiveConnection, Topic[]>()
    for (const topic of topics)
      for (const { connection } of this.registry.listenersOf(topic)?.subscriptions ?? []) {
        const known = lost.get(connection)
        if (known) known.push(topic)
        else if (!(connection instanceof Guest)) lost.set(connection, [topic])
      }
    for (const [connection, itsTopics] of lost) this.outbox.push(connection, gap(itsTopics))
  }

  #deliverOn(listeners: Listeners, { delivery }: StoredEvent, event: OutgoingEvent): void {
    const { pmUsers, excludeUsers } = delivery
    if (pmUsers.length > 0 && isChannelTopic(listeners.topic)) {
      const users = new Set(pmUsers)
      for (const name of excludeUsers) users.delete(name)
      for (const name of users) this.#toUserWithin(name, listeners, event)
    } else if (excludeUsers.length > 0) {
      const excluded = new Set(excludeUsers)
      this.#push(listeners, event, (connection) => !excluded.has(connection.user))
    } else {
      this.#push(listeners, event, everyone)
    }
  }

  /** By way of the user's own topic, so that a private message in a large channel does not look at everyone. */
  #toUserWithin(name: UserName, channel: Listeners, event: OutgoingEvent): void {
    const guest = this.registry.guests.get(name)
    if (guest?.listensTo(channel)) this.outbox.push(guest, event)
    const own = this.registry.listenersOf(userTopic(name))
    if (own) this.#push(own, event, (connection) => connection.listensTo(channel))
  }

  /** From the end: a push can send a slow reader away, and the last of the array, served already, takes its place. */
  #push(
    { subscriptions }: Listeners,
    event: OutgoingEvent,
    mayHave: (connection: LiveConnection) => boolean,
  ): void {
    for (let index = subscriptions.length - 1; index >= 0; index--) {
      const connection = subscriptions[index]?.connection
      if (connection && mayHave(connection)) this.outbox.push(connection, event)
    }
  }
}

const everyone = (): boolean => true

import { liveEvent } from './outgoing-event.ts'
import { userTopic } from '../store/store.ts'
import type { Listeners } from './connection.ts'
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

  #deliverOn(listeners: Listeners, { delivery }: StoredEvent, event: OutgoingEvent): void {
    const { pmUsers, excludeUsers } = delivery
    if (pmUsers.length > 0 && listeners.topic.startsWith('c:')) {
      const users = new Set(pmUsers)
      for (const name of excludeUsers) users.delete(name)
      for (const name of users) this.#toUserWithin(name, listeners, event)
    } else if (excludeUsers.length > 0) {
      this.#toAllBut(new Set(excludeUsers), listeners, event)
    } else {
      for (const { connection } of listeners.subscriptions) this.outbox.push(connection, event)
    }
  }

  #toAllBut(excluded: ReadonlySet<UserName>, listeners: Listeners, event: OutgoingEvent): void {
    for (const { connection } of listeners.subscriptions) {
      if (!excluded.has(connection.user)) this.outbox.push(connection, event)
    }
  }

  /** By way of the user's own topic, so that a private message in a large channel does not look at everyone. */
  #toUserWithin(name: UserName, channel: Listeners, event: OutgoingEvent): void {
    for (const { connection } of this.registry.listenersOf(userTopic(name))?.subscriptions ?? []) {
      if (connection.listensTo(channel)) this.outbox.push(connection, event)
    }
  }
}

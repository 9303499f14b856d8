import { appended } from '../../lib/short-list.ts'
import { Listeners, LiveConnection } from './connection.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Store, Topic } from '../../store/store.ts'
import type { Subscription } from './connection.ts'
import type { Guest } from './guest.ts'

/** This server's live connections, by id and by topic. Subscribes to topics in the store. */
export class Registry {
  readonly #connections = new Map<ConnId, LiveConnection>()
  readonly #topics = new Map<Topic, Listeners>()
  /** Guests by name. They have no connection in the store. */
  readonly guests = new Map<UserName, Guest>()

  constructor(
    private readonly store: Pick<Store, 'listen' | 'unlisten'>,
    private readonly inBackground: (work: Awaitable<unknown>) => void,
    /** Called when a topic gets its first listener here and when it loses its last one. */
    private readonly onListening: (topic: Topic, isListening: boolean) => void = () => {},
  ) {}

  get size(): number {
    return this.#connections.size
  }

  get(id: ConnId): LiveConnection | undefined {
    return this.#connections.get(id)
  }

  all(): IterableIterator<LiveConnection> {
    return this.#connections.values()
  }

  /** Returns the bytes that wait for clients: as JSON in outboxes, and in sinks. Reads every connection. */
  heldBytes(): number {
    let bytes = 0
    for (const held of [this.#connections, this.guests])
      for (const { pending, sink } of held.values()) bytes += pending.size + (sink?.held ?? 0)
    return bytes
  }

  listenersOf(topic: Topic): Listeners | undefined {
    return this.#topics.get(topic)
  }

  /** Returns the live connection with this id. Creates it if necessary. */
  open(id: ConnId, user: UserName): LiveConnection {
    const known = this.#connections.get(id)
    if (known) return known
    const connection = new LiveConnection(id, user)
    this.#connections.set(id, connection)
    return connection
  }

  /** Removes the connection and its subscriptions. */
  close(connection: LiveConnection): void {
    if (this.#connections.get(connection.id) === connection) this.#connections.delete(connection.id)
    for (const subscription of connection.subscriptions.splice(0)) this.#remove(subscription)
  }

  /** Subscribes to events after number `after`. Resolves when the store announces the topic here. */
  subscribe(connection: LiveConnection, topic: Topic, after = 0): Awaitable<void> {
    const known = this.#topics.get(topic)
    const listeners = known ?? new Listeners(topic)
    const own = known && connection.subscriptionTo(known)
    listeners.start(own ?? add(connection, listeners), after)
    if (known) return known.ready
    this.#topics.set(topic, listeners)
    this.onListening(topic, true)
    const ready = this.store.listen(topic)
    if (!(ready instanceof Promise)) return
    listeners.ready = ready
    // Callers that await `ready` get the error.
    ready.then(
      () => (listeners.ready = undefined),
      () => {},
    )
    return ready
  }

  unsubscribe(connection: LiveConnection, topic: Topic): void {
    const index = connection.subscriptions.findIndex(({ listeners }) => listeners.topic === topic)
    if (index >= 0) this.#remove(connection.subscriptions.splice(index, 1)[0] as Subscription)
  }

  /** Resolves when the store announces the topic here. Undefined if it already does, or without listeners. */
  ready(topic: Topic): Awaitable<void> {
    return this.#topics.get(topic)?.ready
  }

  /** Takes constant time: the last entry fills the hole. The order within a topic has no meaning. */
  #remove({ listeners, index }: Subscription): void {
    const last = listeners.subscriptions.pop() as Subscription
    if (last.index !== index) {
      listeners.subscriptions[index] = last
      last.index = index
    }
    if (listeners.subscriptions.length > 0) return
    this.#topics.delete(listeners.topic)
    this.onListening(listeners.topic, false)
    this.inBackground(this.store.unlisten(listeners.topic))
  }
}

function add(connection: LiveConnection, listeners: Listeners): Subscription {
  const subscription = { connection, listeners, index: listeners.subscriptions.length, after: 0 }
  listeners.subscriptions = appended(listeners.subscriptions, subscription)
  connection.subscriptions = appended(connection.subscriptions, subscription)
  return subscription
}

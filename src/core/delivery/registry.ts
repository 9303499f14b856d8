import { appended } from '../../lib/short-list.ts'
import { Listeners, LiveConnection } from './connection.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Store, Topic } from '../../store/store.ts'
import type { Subscription } from './connection.ts'
import type { Guest } from './guest.ts'

/** This server's live connections, by id and by topic. Tells the store which topics are wanted here. */
export class Registry {
  readonly #connections = new Map<ConnId, LiveConnection>()
  readonly #topics = new Map<Topic, Listeners>()
  /** Those who listen without a connection of their own in the store, by name. */
  readonly guests = new Map<UserName, Guest>()

  constructor(
    private readonly store: Pick<Store, 'listen' | 'unlisten'>,
    private readonly inBackground: (work: Awaitable<unknown>) => void,
    /** Told of each topic that somebody here begins or ends to listen to. */
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

  /** Bytes that wait for clients of this server: in outboxes as JSON, and in sinks. Looks at every connection. */
  heldBytes(): number {
    let bytes = 0
    for (const held of [this.#connections, this.guests])
      for (const { pending, sink } of held.values()) bytes += pending.size + (sink?.held ?? 0)
    return bytes
  }

  listenersOf(topic: Topic): Listeners | undefined {
    return this.#topics.get(topic)
  }

  /** The live connection of this id, made if need be. */
  open(id: ConnId, user: UserName): LiveConnection {
    const known = this.#connections.get(id)
    if (known) return known
    const connection = new LiveConnection(id, user)
    this.#connections.set(id, connection)
    return connection
  }

  /** Forgets the connection and its subscriptions. */
  close(connection: LiveConnection): void {
    if (this.#connections.get(connection.id) === connection) this.#connections.delete(connection.id)
    for (const subscription of connection.subscriptions.splice(0)) this.#remove(subscription)
  }

  /** What comes on the topic after the event with the number `after` is for the connection. Resolves once all of it comes. */
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
    // Whoever waits is told what goes wrong.
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

  /** Resolves once the store announces the topic here. Undefined also if nobody listens to it. */
  ready(topic: Topic): Awaitable<void> {
    return this.#topics.get(topic)?.ready
  }

  /** In constant time: the last one moves into the hole. Order within a topic means nothing. */
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

import { Batch } from './batch.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Since, SinkKind, Topic } from '../../store/store.ts'
import type { OutgoingEvent } from './outgoing-event.ts'

/** Carries bytes to a client. Calls never throw; a failed transport calls `Sessions.lost`. */
export interface Sink {
  /** A poll never takes over from a stream. */
  readonly kind: SinkKind
  /** False until the network has taken what it was given. Then the transport calls `Sessions.drained`. */
  readonly writable: boolean
  /** Bytes that wait for the network. */
  readonly held: number
  /** Polls only: the most bytes of missed events that one answer carries. The others come with the next one. */
  readonly maxAnswerBytes?: number
  /** Hands one batch to the network in one write. `after`: the number of the last event before the batch. */
  send(batch: Batch, after: number): void
  /** Sends an empty frame that shows the client that the server is alive and that it has to answer. Streams only. */
  heartbeat(): void
  /** Polls only: answers now, and takes no further events. */
  answer?(): void
  /** Streams only: returns whether the client has taken bytes, since the last call, of what waited for it then. */
  progressed?(): boolean
  /** Ends the sink from the server's side. */
  close(reason: CloseReason): void
  /** Ends the sink without waiting for an answer, because the client went silent. */
  abandon(): void
  /**
   * Ends the delivery to this sink. Drops events that were sent to it but have not left the server. Returns the number
   * of the last event that has left, or undefined if all have.
   */
  release(): number | undefined
}

/** The live connections of one topic on this server. An array keeps the delivery loop fast. */
export class Listeners {
  subscriptions: Subscription[] = []
  /** Resolves when the store announces the topic here; undefined after that. */
  ready: Awaitable<void> = undefined
  /** All subscriptions start after this event number or earlier. */
  #latestStart = 0

  constructor(readonly topic: Topic) {}

  /** True if the event with this number is for all subscriptions, so that they need no check one by one. */
  haveAllStartedBefore(n: number): boolean {
    return n > this.#latestStart
  }

  /** Starts the subscription after the event with this number. The start of a subscription never moves back. */
  start(subscription: Subscription, after: number): void {
    subscription.after = Math.max(subscription.after, after)
    this.#latestStart = Math.max(this.#latestStart, after)
  }

  /** Lowers the start of all subscriptions to `head`, because the store assigns numbers above it again. */
  renumber(head: number): void {
    for (const subscription of this.subscriptions)
      subscription.after = Math.min(subscription.after, head)
    this.#latestStart = Math.min(this.#latestStart, head)
  }
}

/** A connection's entry in the array of a topic. */
export interface Subscription {
  readonly connection: LiveConnection
  readonly listeners: Listeners
  index: number
  /** Events up to this number are not for the connection. */
  after: number
}

/** A connection of a user that a client has open on this server. */
export class LiveConnection {
  sink: Sink | undefined
  /** The sink before the current one, still open. */
  superseded: Sink | undefined
  /** The events of the next flush. */
  pending = Batch.empty
  /** The number of the last event handed to a sink. */
  cursor = 0
  /** The client was caught up to this number: when `pending` is sent, it misses no event up to here. */
  caughtUpTo = 0
  /** Events announced while missed events are still being read. They are sent afterwards. */
  gate: OutgoingEvent[] | undefined
  /** Channels joined just now. The gate stays closed until their events since the join are read. */
  lateJoins: Since[] | undefined
  /** One for each topic. */
  subscriptions: Subscription[] = []
  /** When the oldest unanswered heartbeat was sent, by the clock. */
  unansweredSince: number | undefined
  /** The connections that get their heartbeats in the same tick. */
  slot: Set<LiveConnection> | undefined

  constructor(
    readonly id: ConnId,
    readonly user: UserName,
  ) {}

  subscriptionTo(listeners: Listeners): Subscription | undefined {
    return this.subscriptions.find((subscription) => subscription.listeners === listeners)
  }

  /** Returns whether an event with this number on the topic is for the connection. */
  mayReceive(listeners: Listeners, n: number): boolean {
    const subscription = this.subscriptionTo(listeners)
    return subscription !== undefined && subscription.after < n
  }
}

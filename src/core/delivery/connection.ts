import { Batch } from './batch.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ConnId, UserName } from '../../protocol/ids.ts'
import type { Awaitable, Since, SinkKind, Topic } from '../../store/store.ts'
import type { OutgoingEvent } from './outgoing-event.ts'

/** What carries bytes to a client. Calls never throw; failure ends in a call of `Hub.lost`. */
export interface Sink {
  /** A poll never takes over from a stream. */
  readonly kind: SinkKind
  /** False while the network has not taken what it was given; then `Hub.drained` is called when it has. */
  readonly writable: boolean
  /** Bytes that it was given and the network has not taken. */
  readonly held: number
  /** Hands one batch to the network, in one write. `after`: the number of the last event before it. */
  send(batch: Batch, after: number): void
  /** An empty frame, so that the client knows that the server is there, and has to answer. Streams only. */
  heartbeat(): void
  /** Ends the sink from the server's side. */
  close(reason: CloseReason): void
  /** The client went silent: ends the sink without waiting for an answer. */
  abandon(): void
  /**
   * Another sink has taken over: nothing comes any more. Events that were sent to it but did not leave the server are
   * given up; answers the number of the last event that did leave, or undefined if all did.
   */
  release(): number | undefined
}

/** The live connections of one topic on this server, in an array for the sake of the delivery loop. */
export class Listeners {
  subscriptions: Subscription[] = []
  /** Settled once the store announces the topic here; undefined from then on. */
  ready: Awaitable<void> = undefined
  /** None of the subscriptions begins later than after the event with this number. */
  #latestStart = 0

  constructor(readonly topic: Topic) {}

  /** True if the event with this number is for all of the subscriptions, so that none of them has to be looked at. */
  haveAllStartedBefore(n: number): boolean {
    return n > this.#latestStart
  }

  /** The subscription is for what comes after the event with this number. It never begins earlier than it did. */
  start(subscription: Subscription, after: number): void {
    subscription.after = Math.max(subscription.after, after)
    this.#latestStart = Math.max(this.#latestStart, after)
  }

  /** Numbers above this one are given again: what began after one of them begins now. */
  renumber(head: number): void {
    for (const subscription of this.subscriptions)
      subscription.after = Math.min(subscription.after, head)
    this.#latestStart = Math.min(this.#latestStart, head)
  }
}

/** A connection's place in the array of a topic. */
export interface Subscription {
  readonly connection: LiveConnection
  readonly listeners: Listeners
  index: number
  /** The number of the newest event when it began: nothing up to this one is for the connection. */
  after: number
}

/** One open end of a user that a client has open on this server. */
export class LiveConnection {
  sink: Sink | undefined
  /** The sink before the current one, still open. */
  superseded: Sink | undefined
  /** What it gets at the next flush. */
  pending = Batch.empty
  /** The number of the last event that was handed to a sink. */
  cursor = 0
  /** Nothing up to this number is missing, once what is pending has been sent: it was caught up. */
  caughtUpTo = 0
  /** Events announced while what was missed is still being read; they come after it. */
  gate: OutgoingEvent[] | undefined
  /** Channels that it has just joined, of which the gate waits for what was announced since. */
  lateJoins: Since[] | undefined
  /** One for each topic it listens to. */
  subscriptions: Subscription[] = []
  /** When it was sent the first heartbeat since the client last showed life, by the clock. */
  unansweredSince: number | undefined
  /** Those who get their heartbeats together with it. */
  slot: Set<LiveConnection> | undefined

  constructor(
    readonly id: ConnId,
    readonly user: UserName,
  ) {}

  subscriptionTo(listeners: Listeners): Subscription | undefined {
    return this.subscriptions.find((subscription) => subscription.listeners === listeners)
  }

  /** Whether the event with this number, announced on the topic, is for it. */
  mayReceive(listeners: Listeners, n: number): boolean {
    const subscription = this.subscriptionTo(listeners)
    return subscription !== undefined && subscription.after < n
  }
}

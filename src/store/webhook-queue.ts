/**
 * The queue of what webhooks tell: changes in the store, in their order, until each endpoint has got them.
 *
 * The store appends a change in the same atomic step that makes it, so that no change is lost or told twice, whatever
 * ends the server. Implementations: `memory/webhook-queue.ts`, and `redis/webhook-queue.ts` for several servers, of
 * which one at a time reads for an endpoint. Both pass `test/contract/webhook-queue.ts`.
 */
import type { WebhookEventType } from '../protocol/webhooks.ts'
import type { Awaitable } from './store.ts'

/** Which changes are appended, and how many are kept. */
export interface WebhookRules {
  readonly events: readonly WebhookEventType[]
  /**
   * Events about a channel are appended only if its name is one of these, or begins with one that ends in `*`. Empty:
   * all channels.
   */
  readonly channels: readonly string[]
  /** Above either limit, about a tenth of the queue is dropped, the oldest first. */
  readonly maxEvents: number
  readonly maxBytes: number
  /** The ids of all endpoints, for a queue that outlives the server: it forgets others. Undefined: it forgets none. */
  readonly endpoints?: readonly string[]
}

/** An event of the queue. */
export interface QueuedEvent {
  /** Its number. Grows with each event, and may skip numbers. */
  readonly n: number
  /** What it is about, such as `channel:lobby`. Events with the same subject must arrive in order. */
  readonly subject: string
  /** The event as JSON. */
  readonly text: string
}

/**
 * Why an endpoint has to read the current state, because the events alone do not lead there:
 * - `started`: the installation began without any connection, or the endpoint is new.
 * - `restarted`: the store was restarted and may have lost changes.
 * - `dropped`: the queue was full.
 */
export type ResyncReason = 'started' | 'restarted' | 'dropped'

/** What an endpoint gets next. */
export interface QueuePart {
  readonly events: readonly QueuedEvent[]
  /** The number of the last of these events. */
  readonly through: number
  readonly resync?: { readonly reason: ResyncReason; readonly dropped: number } | undefined
  /** For `confirm`: the life of the store that the part is from. */
  readonly life: string
}

/** An event that the store does not notice itself. */
export interface SlowClientFacts {
  readonly user: string
  /** Null for a Philote client. `user` is then its name. */
  readonly connId: string | null
  readonly waitingBytes: number
}

/** What is known about an endpoint, from whichever server sends to it. Times are wall time in milliseconds since 1970. */
export interface EndpointStatus {
  /** Failed requests since the last success. */
  readonly failures: number
  readonly lastError: string | null
  readonly lastErrorAt: number | null
  readonly lastSuccessAt: number | null
}

export interface EndpointFigures {
  /** Events that the endpoint has not confirmed. */
  readonly queued: number
  /** Events that were dropped before it got them, since the installation began. */
  readonly dropped: number
  readonly status: EndpointStatus | undefined
}

export interface ReadLimits {
  readonly mostEvents: number
  /** At least one event is returned, however large. */
  readonly mostBytes: number
}

/** Endpoints are known by an id, which each server derives from the URL in the same way. */
export interface WebhookQueue {
  readonly epoch: string
  /** False: what is queued ends with this process. */
  readonly outlivesServer: boolean
  /** Calls the listener when an endpoint that had read everything may have something to read. May call it too often. */
  onAdded(listener: () => void): void
  addSlowClient(facts: SlowClientFacts): Awaitable<void>
  /**
   * Returns what the endpoint gets next, without any event if it has got everything. `elsewhere`: another server sends
   * to this endpoint. A server that reads becomes the sender if the former one has released the endpoint or is dead.
   * A new endpoint begins with the oldest event that is still queued.
   */
  read(endpoint: string, limits: ReadLimits): Awaitable<QueuePart | 'elsewhere'>
  /** The endpoint has got the part. Returns false if another server has become its sender meanwhile. */
  confirm(endpoint: string, part: QueuePart): Awaitable<boolean>
  /** This server stops sending to the endpoint. Another may take over at once. */
  release(endpoint: string): Awaitable<void>
  /** Stores the status. Returns false if another server has become the sender meanwhile. */
  note(endpoint: string, status: EndpointStatus): Awaitable<boolean>
  figures(endpoints: readonly string[]): Awaitable<ReadonlyMap<string, EndpointFigures>>
}

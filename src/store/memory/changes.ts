import type { QueuedEvent } from '../webhook-queue.ts'
import type { Channel, Connection, User } from './records.ts'

/**
 * Listens to changes of the memory store, in the step that makes each. Calls only say which record has changed: the
 * listener reads it later. A plain memory store has no listener.
 *
 * Not reported: what falls out of a history or a replay buffer at its old end. `Channel.history.oldest` and
 * `ReplayBuffer.lostThrough` say so, and a call for the activity of the channel or user comes with it.
 */
export interface Changes {
  /** It is new, or has another state or other public keys. */
  user(user: User): void
  /** Its deadline or its replay buffer has changed, or it has a new webhook event. */
  userActivity(user: User): void
  userRemoved(user: User): void

  /** It is new, or in other channels. */
  connection(connection: Connection): void
  /** A client has opened it or is gone. */
  position(connection: Connection): void
  connectionRemoved(connection: Connection): void

  /** It is new, or has other settings. */
  channel(channel: Channel): void
  /** Something was published, content was removed because it is old, its deadline has changed, or it has a new webhook event. */
  channelActivity(channel: Channel): void
  channelRemoved(channel: Channel): void
  /** The floor of this user or connection has changed, or is forgotten. */
  floor(channel: Channel, who: string): void

  /** An event with this number was added, changed or removed. */
  event(holder: Channel | User, n: number): void

  /** A webhook event was queued. */
  queued(event: QueuedEvent): void
  /** An endpoint of webhooks is new, or has other figures, or has got events. */
  endpoint(id: string): void
}

import type { Yielder } from '../lib/yielder.ts'
import type { Publication, Topic } from '../store/store.ts'
import type { OutboxCounts } from './delivery/outbox.ts'
import type { RequestLimits } from './limits.ts'
import type { SessionTimes } from './sessions/sessions.ts'

export interface HubOptions extends RequestLimits, SessionTimes {
  /** JSON bytes that may wait for a connection whose client reads too slowly. */
  readonly maxOutboxBytes: number
  /** For answers that are long. */
  readonly maybeYield: Yielder
  /** An idle channel lasts so long in the store. */
  readonly gcChannelsMs: number
  /** Told what fails without a caller to tell. */
  readonly onFault: (error: unknown) => void
  /** Told when the first connection of this server listens to a topic, and when the last one does no more. */
  readonly onListening?: ((topic: Topic, isListening: boolean) => void) | undefined
  /** Told what backends posted here, once the store has it. */
  readonly onPosted?: ((publications: readonly Publication[]) => void) | undefined
}

export interface Traffic extends OutboxCounts {
  /** Clients that have a connection open here, and guests. */
  readonly connections: number
  readonly guests: number
  /** Bytes that wait for them. */
  readonly heldBytes: number
}

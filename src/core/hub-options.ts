import type { Yielder } from '../lib/yielder.ts'
import type { Publication, Topic } from '../store/store.ts'
import type { SlowClientFacts } from '../store/webhook-queue.ts'
import type { ChannelRulesOptions } from './channel-rules.ts'
import type { OutboxCounts } from './delivery/outbox.ts'
import type { RequestLimits } from './limits.ts'
import type { SessionFigures } from './sessions/session-counts.ts'
import type { SessionTimes } from './sessions/session-times.ts'
import type { UserLimitRules } from './user-limits.ts'

/** What may change while the hub runs. */
export interface HubRules extends RequestLimits {
  readonly userLimits: UserLimitRules
  readonly channelRules: ChannelRulesOptions
}

export interface HubOptions extends RequestLimits, SessionTimes {
  /** Without them, users have no limits. */
  readonly userLimits?: UserLimitRules
  /** Limit of JSON bytes that wait for a slow consumer. */
  readonly maxOutboxBytes: number
  /** Lets other work run while long answers are made. */
  readonly maybeYield: Yielder
  /** How long the store keeps an idle channel. */
  readonly gcChannelsMs: number
  /** Settings of new channels. Without these they are the defaults, and there may be any channel. */
  readonly channelRules?: ChannelRulesOptions | undefined
  /** Called with errors of work that no caller waits for. */
  readonly onFault: (error: unknown) => void
  /** Called when a topic gets its first listener on this server, and when it loses its last one. */
  readonly onListening?: ((topic: Topic, isListening: boolean) => void) | undefined
  /** Called before a client is disconnected because it did not read what was queued for it. */
  readonly onSlowClient?: ((facts: SlowClientFacts) => void) | undefined
  /** Called with what backends posted to this server, after the store has accepted it. */
  readonly onPosted?: ((publications: readonly Publication[]) => void) | undefined
}

export interface Traffic extends OutboxCounts, SessionFigures {
  /** Connections that clients have open on this server. */
  readonly connections: number
  readonly guests: number
  /** Bytes that wait for connections and guests. */
  readonly heldBytes: number
}

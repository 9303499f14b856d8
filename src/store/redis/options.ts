import type { Clock } from '../../lib/clock.ts'
import type { RedisAddress } from '../../lib/redis-url.ts'
import type { StoreLimits } from '../store.ts'
import type { WebhookRules } from '../webhook-queue.ts'

export interface RedisStoreOptions extends StoreLimits {
  readonly address: RedisAddress
  /** Undefined: no webhooks. */
  readonly webhooks?: WebhookRules | undefined
  /** Separates installations that share one Redis. */
  readonly prefix: string
  /** How long Redis may take to answer before it counts as unavailable. */
  readonly timeoutMs: number
  /** How long a connection waits for its client after its server died. */
  readonly orphanWaitMs: number
  /** How long idempotency keys of `publish` are remembered, in whole milliseconds. */
  readonly onceMs: number
  /** Its wall time is the timestamp of events; deadlines use its monotonic time. */
  readonly clock: Pick<Clock, 'now' | 'wallTime'>
  /** Replaces the calendar of Redis in tests: milliseconds since 1970. */
  readonly now?: () => number
  /** Called when Redis becomes unavailable, with the reason and advice for the operator. */
  readonly onAway: (error: unknown, advice: string | undefined) => void
  /** Called when Redis is available again. */
  readonly onBack: (where: string) => void
  /** Called with a warning for the log when Redis evicts keys, or may do so. */
  readonly onEvicting: (warning: string) => void
  /** Called with errors of background work, such as a command that Redis rejects. */
  readonly onFault: (error: unknown) => void
}

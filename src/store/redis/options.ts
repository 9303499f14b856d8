import type { Clock } from '../../lib/clock.ts'
import type { RedisAddress } from '../../lib/redis-url.ts'
import type { StoreLimits } from '../store.ts'

export interface RedisStoreOptions extends StoreLimits {
  readonly address: RedisAddress
  /** Keeps two installations on one Redis apart. */
  readonly prefix: string
  /** How long Redis may take to answer before it counts as away. */
  readonly timeoutMs: number
  /** How long a connection waits whose server died. */
  readonly orphanWaitMs: number
  /** For so many whole milliseconds it is remembered what was published under a name, so that it is not again. */
  readonly onceMs: number
  /** What is told is stamped by its wall time; deadlines are by what it says has passed. */
  readonly clock: Pick<Clock, 'now' | 'wallTime'>
  /** For tests that turn the calendar of Redis by hand: milliseconds since 1970. Left out: Redis's own. */
  readonly now?: () => number
  /** Told when Redis goes away: why, and what can be done about it; and when it is back. */
  readonly onAway: (error: unknown, advice: string | undefined) => void
  readonly onBack: (where: string) => void
  /** Told, for the log, that Redis takes away keys by itself, or may. */
  readonly onEvicting: (warning: string) => void
  /** Takes errors of what no caller waits for, such as what Redis has against a command. */
  readonly onFault: (error: unknown) => void
}

import type { Clock } from '../../lib/clock.ts'
import type { MemoryIdempotencyCacheOptions } from '../memory/idempotency-cache.ts'
import type { StoreLimits } from '../store.ts'
import type { WebhookRules } from '../webhook-queue.ts'
import type { OnAway, SyncMode } from './committer.ts'

export interface DiskOptions extends StoreLimits {
  readonly clock: Clock
  readonly directory: string
  readonly sync: SyncMode
  /** No new state is written while the logs are shorter. 16 MiB; less in tests. */
  readonly minLogBytes?: number
  readonly webhooks?: WebhookRules | undefined
  /** How long connections wait for their clients after a start: those that had a stream open, and others. */
  readonly streamWaitMs: number
  readonly pollWaitMs: number
  readonly idempotency: MemoryIdempotencyCacheOptions
  /** Called when the disk refuses writes, and when it takes them again. */
  readonly onAway: OnAway
  readonly onBack: () => void
  readonly onFault: (error: unknown) => void
  /** Called with what an operator should know of the start. */
  readonly onNote: (note: string) => void
}

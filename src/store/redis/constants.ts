import { LEASE_MS, MAX_BEAT_GAP_MS } from './lease.ts'
import type { RedisStoreOptions } from './options.ts'

/** For this long, `sweep` does not return the same connection again. */
const RETRY_MS = 3000
/** Numbers that are skipped after a restart of Redis, because it may have lost that it assigned them. */
export const LEAP = 1_048_576

/** Histories that may have more messages than this have an index by uuid. */
const LONG_HISTORY = 1000

/**
 * Keys with a deadline get a Redis expiry that is later by this much, in case no server is there to remove them. Redis
 * uses the calendar: its clock has to jump by more than this to remove a key too early.
 */
export const EXTRA_TTL_MS = 30 * 86_400_000

/** The constants of the scripts, by their names there. */
export const constantsOf = (options: RedisStoreOptions) => ({
  GC_USERS: options.gcUsersMs,
  GC_CHANNELS: options.gcChannelsMs,
  CHANNEL_FRAMES: options.channelFrames,
  USER_FRAMES: options.userFrames,
  MAX_STATE_BYTES: options.maxStateBytes,
  PRESENCE_LIST_LIMIT: options.presenceListLimit,
  MAX_REMOVALS: options.maxRemovals,
  LONG_HISTORY: options.longHistory ?? LONG_HISTORY,
  ONCE: options.onceMs,
  LEASE: LEASE_MS,
  MAX_BEAT_GAP: MAX_BEAT_GAP_MS,
  RETRY: RETRY_MS,
  LEAP,
  EXTRA_TTL: EXTRA_TTL_MS,
  DATABASE: options.address.database,
  WEBHOOK_EVENTS: options.webhooks ? ` ${options.webhooks.events.join(' ')} ` : '',
  WEBHOOK_CHANNELS: options.webhooks?.channels ?? [],
  WEBHOOK_MAX_EVENTS: options.webhooks?.maxEvents ?? 0,
  WEBHOOK_MAX_BYTES: options.webhooks?.maxBytes ?? 0,
})

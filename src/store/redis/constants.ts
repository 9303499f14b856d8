import { LEASE_MS, MAX_BEAT_GAP_MS } from './lease.ts'
import type { RedisStoreOptions } from './options.ts'

/** A connection that `sweep` answered is not answered again for so long. */
const RETRY_MS = 3000
/** Numbers that are passed over when Redis was started anew, because it may have forgotten that it gave them. */
const LEAP = 1_048_576

/**
 * What has a deadline of its own is taken away by Redis itself so much later: for what no server is there to forget. Redis
 * goes by the calendar, so a step of its clock has to be longer than this to take something away too early.
 */
const EXTRA_TTL_MS = 30 * 86_400_000

/** What the scripts know by these names. */
export const constantsOf = (options: RedisStoreOptions) => ({
  GC_USERS: options.gcUsersMs,
  GC_CHANNELS: options.gcChannelsMs,
  CHANNEL_FRAMES: options.channelFrames,
  USER_FRAMES: options.userFrames,
  MAX_STATE_BYTES: options.maxStateBytes,
  PRESENCE_LIST_LIMIT: options.presenceListLimit,
  MAX_REMOVALS: options.maxRemovals,
  ONCE: options.onceMs,
  LEASE: LEASE_MS,
  MAX_BEAT_GAP: MAX_BEAT_GAP_MS,
  RETRY: RETRY_MS,
  LEAP,
  EXTRA_TTL: EXTRA_TTL_MS,
  DATABASE: options.address.database,
})

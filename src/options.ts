/** From settings to what the store and the hub take. */
import type { Config } from './config/schema.ts'

export const storeOptions = (config: Config) => ({
  gcUsersMs: config.gc_users_after * 1000,
  gcChannelsMs: config.gc_channels_after * 1000,
  channelFrames: config.channel_frames,
  userFrames: config.user_frames,
  maxStateBytes: config.max_state_bytes,
  presenceListLimit: config.presence_list_limit,
})

export const hubOptions = (config: Config) => ({
  maxMessagesPerRequest: config.max_messages_per_request,
  maxChannelsPerRequest: config.max_channels_per_request,
  maxHistorySize: config.max_history_size,
  maxStateBytes: config.max_state_bytes,
  maxOutboxBytes: config.max_outbox_bytes,
  gcChannelsMs: config.gc_channels_after * 1000,
  heartbeatIntervalMs: config.heartbeat_interval * 1000,
  gcConnsMs: config.gc_conns_after * 1000,
  resumeWindowMs: config.resume_window * 1000,
})

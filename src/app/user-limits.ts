/** The limits on users, and the log of refusals because of them. */
import { RefusalLog } from '../lib/refusal-log.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/schema.ts'
import type { UserLimit, UserLimitRules } from '../core/user-limits.ts'
import type { Clock } from '../lib/clock.ts'
import type { UserName } from '../protocol/ids.ts'

const MESSAGES: Readonly<Record<UserLimit, string>> = {
  connections: 'connections are refused: a user has max_connections_per_user',
  channels: 'channels are refused: a user is in max_channels_per_user',
  messages: 'messages are refused: a user posts more than message_rate_per_user',
}

export type UserRefusalLog = RefusalLog<UserLimit>

export const openUserRefusalLog = (clock: Clock, log: FastifyBaseLogger): UserRefusalLog =>
  new RefusalLog(clock, log, MESSAGES)

export const userLimits = (config: Config, refusals: UserRefusalLog): UserLimitRules => ({
  maxConnections: config.max_connections_per_user,
  maxChannels: config.max_channels_per_user,
  messagesPerSecond: config.message_rate_per_user,
  messageBurst: config.message_burst_per_user,
  unlimited: config.unlimited_users as readonly UserName[],
  lostAfterMs: Math.max(config.gc_conns_after, config.resume_window) * 1000,
  onRefused: (limit, user) => refusals.note(limit, { user }),
})

/** Converts settings to the options of the parts. */
import { resolve } from 'node:path'
import { AddressList, networkOf } from '../http/addresses.ts'
import { SESSION_SECONDS } from '../http/admin/session.ts'
import { parseRedisUrl } from '../lib/redis-url.ts'
import { secretsOf } from '../lib/secrets.ts'
import { endpointOf } from '../webhooks/endpoint.ts'
import { readCertificates } from './redis-tls.ts'
import type { Config } from '../config/schema.ts'
import type { ForwardingRules } from '../http/forwarding.ts'
import type { Secrets } from '../lib/secrets.ts'
import type { SocketRules } from '../net/socket-limits.ts'
import type { Intervals } from '../protocol/hello.ts'
import type { WebhookRules } from '../store/webhook-queue.ts'
import type { LogForm } from '../telemetry/log-form.ts'
import type { WebhookOptions, WebhookSecrets } from '../webhooks/webhooks.ts'

/** Takes at most a megabyte per channel. */
const MAX_REMOVALS = 10_000

export const storeOptions = (config: Config) => ({
  gcUsersMs: config.gc_users_after * 1000,
  gcChannelsMs: config.gc_channels_after * 1000,
  channelFrames: config.channel_frames,
  userFrames: config.user_frames,
  maxStateBytes: config.max_state_bytes,
  presenceListLimit: config.presence_list_limit,
  maxRemovals: MAX_REMOVALS,
  webhooks: webhookRules(config),
})

/** Undefined: no webhooks. */
export const webhookRules = (config: Config): WebhookRules | undefined =>
  config.webhook_url.length === 0
    ? undefined
    : {
        events: config.webhook_events,
        channels: config.webhook_channels,
        maxEvents: config.max_webhook_events,
        maxBytes: config.max_webhook_bytes,
        endpoints: config.webhook_url.map((url) => endpointOf(url).id),
      }

/** Each signs the body. */
export const webhookSecrets = (config: Config): Secrets =>
  config.webhook_secret === ''
    ? secretsOf(config.secret, config.secret_fallbacks)
    : secretsOf(config.webhook_secret, config.webhook_secret_fallbacks)

export const webhookOptions = (config: Config): Omit<WebhookOptions, keyof WebhookSecrets> => ({
  urls: config.webhook_url,
  timeoutMs: config.webhook_timeout * 1000,
  connections: config.webhook_connections,
  installation: config.redis_prefix,
})

/**
 * Throws if a file for TLS cannot be used, and for an invalid `redis_url`. The configuration is validated before, so the
 * second does not happen.
 */
export function redisOptions(config: Config) {
  const address = parseRedisUrl(config.redis_url)
  if (!address) throw new Error('redis_url is not a Redis URL')
  const { redis_sentinel_user: username, redis_sentinel_password: password } = config
  return {
    address: {
      ...address,
      ...(address.tls && { certificates: readCertificates(config) }),
      sentinelLogin: { username, password },
    },
    prefix: config.redis_prefix,
    timeoutMs: config.redis_timeout * 1000,
    orphanWaitMs: config.gc_conns_after * 1000,
    onceMs: idempotencyCacheOptions(config).windowMs,
  }
}

/** Everything else waits at least as long as a client that polls. */
export const diskOptions = (config: Config) => ({
  directory: resolve(config.data_dir),
  sync: config.data_sync,
  streamWaitMs: config.resume_window * 1000,
  pollWaitMs: Math.max(config.resume_window, config.gc_conns_after) * 1000,
  idempotency: idempotencyCacheOptions(config),
})

/** May change while the hub runs. */
export const hubRules = (config: Config) => ({
  maxMessagesPerRequest: config.max_messages_per_request,
  maxUsersPerMessage: config.max_users_per_message,
  maxChannelsPerRequest: config.max_channels_per_request,
  maxChannelsPerMessage: config.max_channels_per_message,
  maxCountsPerRequest: config.max_counts_per_request,
  maxHistorySize: config.max_history_size,
  maxStateBytes: config.max_state_bytes,
  channelRules: {
    sections: config.channel_settings,
    defaults: { history_ttl: config.history_ttl },
    allowUnlisted: config.allow_unlisted_channels,
  },
})

export const hubOptions = (config: Config) => ({
  ...hubRules(config),
  maxOutboxBytes: config.max_outbox_bytes,
  gcChannelsMs: config.gc_channels_after * 1000,
  heartbeatIntervalMs: config.heartbeat_interval * 1000,
  gcConnsMs: config.gc_conns_after * 1000,
  resumeWindowMs: config.resume_window * 1000,
})

/** A client on a slow line has the answer before its proxy or the client itself gives the poll up. */
const MAX_ANSWER_BYTES = 131_072

export const pollRules = (config: Config) => ({
  times: {
    wakeMs: config.wake_connections_after * 1000,
    gatherMs: config.poll_gather * 1000,
    answerMs: config.gc_conns_after * 1000,
  },
  maxAnswerBytes: Math.min(MAX_ANSWER_BYTES, config.max_outbox_bytes),
})

/** The content of a `hello`. */
export const intervalsOf = (config: Config): Intervals => ({
  heartbeatS: config.heartbeat_interval,
  wakeS: config.wake_connections_after,
})

export const forwardingRules = (config: Config): ForwardingRules => ({
  trustedProxies: new AddressList(config.trusted_proxies),
  httpScheme: config.http_scheme,
})

/** Entries for all addresses do not identify backends. */
const isEverybody = (entry: string): boolean => entry === '0.0.0.0' || entry.endsWith('/0')

export function socketRules(config: Config, { trustedProxies }: ForwardingRules): SocketRules {
  const backends = new AddressList(config.allow_posting_from.filter((entry) => !isEverybody(entry)))
  return {
    maxSockets: config.max_sockets,
    maxPerAddress: config.max_sockets_per_address,
    maxNewPerSecond: config.max_new_sockets_per_second,
    isProxy: (address) => trustedProxies.includes(address),
    isBackend: (address) => backends.includes(address),
    networkOf,
  }
}

export const logForm = (config: Config): LogForm => ({
  format: config.log_format,
  levels: config.log_levels,
})

export const authRules = (config: Config) => ({
  allowPostingFrom: new AddressList(config.allow_posting_from),
  signatureScope: config.signature_scope,
  enforceHttps: config.enforce_https,
})

export const requestRules = (config: Config) => ({
  unknownFields: config.unknown_fields,
  keepAliveMs: config.keep_alive_timeout * 1000,
  hasAccessLog: config.access_log,
  maxBodyBytes: config.max_body_bytes,
  maxHeldBytes: Math.max(config.max_bodies_bytes, config.max_body_bytes),
})

export function adminCredentials(config: Config) {
  const [secret, ...secretFallbacks] = secretsOf(config.admin_secret, config.admin_secret_fallbacks)
  return {
    user: config.admin_user,
    secret,
    secretFallbacks,
    cookieSecret: config.cookie_secret,
  }
}

/**
 * Opening sessions takes the password. The limit is high so that a program that signs in often ends no other session.
 */
export const ADMIN_SESSION_LIMITS = { lifetimeMs: SESSION_SECONDS * 1000, maxSessions: 10_000 }

export const idempotencyCacheOptions = (config: Config) => ({
  windowMs: Math.ceil(config.idempotency_window * 1000),
  maxBytes: config.max_idempotency_bytes,
})

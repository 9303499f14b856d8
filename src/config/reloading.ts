/** The settings that a running server reads again. The others need a restart. */
import type { Config, SettingName } from './schema.ts'

export const RELOADED_SETTINGS = [
  ...(['secret', 'secret_fallbacks'] as const),
  ...(['admin_user', 'admin_secret', 'admin_secret_fallbacks', 'cookie_secret'] as const),
  ...(['webhook_secret', 'webhook_secret_fallbacks'] as const),
  ...(['philote_secret', 'philote_secret_fallbacks'] as const),
  ...(['allow_posting_from', 'allow_metrics_from', 'trusted_proxies', 'allow_cors'] as const),
  ...(['validate_requests', 'signature_scope', 'enforce_https'] as const),
  ...(['channel_settings', 'allow_unlisted_channels', 'history_ttl'] as const),
  ...(['debug', 'log_level'] as const),
  ...(['max_sockets', 'max_sockets_per_address', 'max_new_sockets_per_second'] as const),
  ...(['max_messages_per_request', 'max_users_per_message', 'max_channels_per_request'] as const),
  ...(['max_channels_per_message', 'max_counts_per_request', 'max_history_size'] as const),
  ...(['max_connections_per_user', 'max_channels_per_user', 'message_rate_per_user'] as const),
  ...(['message_burst_per_user', 'unlimited_users'] as const),
] as const satisfies readonly SettingName[]

const RELOADED: ReadonlySet<SettingName> = new Set(RELOADED_SETTINGS)

export interface ConfigChanges {
  /** The running configuration with the new values of all settings that are reloaded. */
  readonly config: Config
  /** Settings whose new values apply. */
  readonly applied: readonly SettingName[]
  /** Settings whose new values apply after a restart. */
  readonly needRestart: readonly SettingName[]
}

/** Leaves out where a section was read, which changes when lines are added above it. */
const textOf = (value: Config[SettingName]): string =>
  JSON.stringify(value, (key, member: unknown) => (key === 'where' ? undefined : member))

/** Compares the configuration of a running server with the one that was read now. */
export function changesOf(running: Config, read: Config): ConfigChanges {
  const names = (Object.keys(read) as SettingName[]).filter(
    (name) => textOf(running[name]) !== textOf(read[name]),
  )
  const applied = names.filter((name) => RELOADED.has(name))
  const values = Object.fromEntries(applied.map((name) => [name, read[name]]))
  return {
    config: Object.freeze({ ...running, ...values }),
    applied,
    needRestart: names.filter((name) => !RELOADED.has(name)),
  }
}

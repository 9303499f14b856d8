/** Applies a configuration that was read again to a running server. */
import { changesOf } from '../config/reloading.ts'
import { secretsOf } from '../lib/secrets.ts'
import { adminCredentials, authRules, hubRules, socketRules } from './options.ts'
import { openSignatureChecker } from './signatures.ts'
import { userLimits } from './user-limits.ts'
import { webhookSigning } from './webhooks.ts'
import type { ConfigChanges } from '../config/reloading.ts'
import type { Config } from '../config/schema.ts'
import type { PhiloteServer } from '../philote/server.ts'
import type { ServerDeps } from './deps.ts'
import type { CurrentChecker } from './signatures.ts'

/** The configuration that applies now. */
export interface Running {
  config: Config
}

interface ReloadDeps extends Omit<ServerDeps, 'config'> {
  readonly checker: CurrentChecker
  readonly philote: PhiloteServer | undefined
}

/**
 * Applies the settings that a running server can change, and returns which changed. Rejects without any effect if the
 * operator's module for signatures cannot be used with it. Must not be called again before it has ended.
 */
export type Reload = (read: Config) => Promise<ConfigChanges>

export const reloaderOf =
  (running: Running, deps: ReloadDeps): Reload =>
  async (read) => {
    const changes = changesOf(running.config, read)
    if (changes.applied.length === 0) return changes
    // First what may fail. After that, all settings change in the same turn.
    const checker = await openSignatureChecker(changes.config)
    running.config = changes.config
    deps.checker.replace(checker)
    apply(changes.config, deps)
    return changes
  }

function apply(config: Config, deps: ReloadDeps): void {
  const { http, hub, auth, origins, forwarding, limits, sessions, userRefusals } = deps
  http.log.level = config.log_level
  forwarding.trustedProxies.replace(config.trusted_proxies)
  deps.metricsFrom.replace(config.allow_metrics_from)
  origins.replace(config.allow_cors)
  auth.changeRules(authRules(config))
  sessions.changeCredentials(adminCredentials(config))
  limits.changeRules(socketRules(config, forwarding))
  hub.changeRules({ ...hubRules(config), userLimits: userLimits(config, userRefusals) })
  deps.philote?.changeSecrets(secretsOf(config.philote_secret, config.philote_secret_fallbacks))
  deps.webhooks?.changeSecrets(webhookSigning(config))
}

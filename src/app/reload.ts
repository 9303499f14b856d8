/** Applies a configuration that was read again to a running server. */
import { changesOf } from '../config/reloading.ts'
import { secretsOf } from '../lib/secrets.ts'
import { adminCredentials, authRules, hubRules, socketRules } from './options.ts'
import { openSignatureChecker } from './signatures.ts'
import { userLimits } from './user-limits.ts'
import { webhookSigning } from './webhooks.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { ConfigChanges } from '../config/reloading.ts'
import type { Config, SettingName } from '../config/schema.ts'
import type { SignatureChecker } from '../http/signature.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { PhiloteServer } from '../philote/server.ts'
import type { ServerDeps } from './deps.ts'
import type { CurrentChecker } from './signatures.ts'

/** The configuration that applies now. */
export interface Running {
  config: Config
}

interface ReloadDeps extends Omit<ServerDeps, 'config'> {
  readonly logger: FastifyBaseLogger
  readonly checker: CurrentChecker
  readonly philote: PhiloteServer | undefined
}

/**
 * Applies the settings that a running server can change, and returns which changed. Rejects without any effect if
 * `check` throws for the configuration that the server would have, or if the operator's module for signatures cannot be
 * used with it. Must not be called again before it has ended.
 */
export type Reload = (read: Config, check?: (next: Config) => void) => Promise<ConfigChanges>

/** What the check of signatures is made with. A module of the operator may keep state, which a new check has not. */
const CHECKED_WITH: ReadonlySet<SettingName> = new Set([
  'secret',
  'secret_fallbacks',
  'validate_requests',
])
const CHECKER_TIMEOUT_MS = 10_000

export const reloaderOf =
  (running: Running, deps: ReloadDeps): Reload =>
  async (read, check = () => {}) => {
    const changes = changesOf(running.config, read)
    const { config, applied } = changes
    check(config)
    if (applied.length === 0) return changes
    // First what may fail. After that, all settings change in the same turn.
    const checker = applied.some((name) => CHECKED_WITH.has(name))
      ? await openedInTime(config, deps.clock)
      : undefined
    running.config = config
    if (checker) deps.checker.replace(checker)
    apply(config, deps)
    return changes
  }

async function openedInTime(config: Config, clock: Clock): Promise<SignatureChecker> {
  let cancel: Cancel | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`signature_checker is not ready after ${CHECKER_TIMEOUT_MS / 1000} s`)
    cancel = clock.after(CHECKER_TIMEOUT_MS, () => reject(error))
  })
  try {
    return await Promise.race([openSignatureChecker(config), late])
  } finally {
    cancel?.()
  }
}

function apply(config: Config, deps: ReloadDeps): void {
  const { http, hub, auth, origins, forwarding, limits, sessions, userRefusals } = deps
  // Fastify logs with a child of the logger, which has a level of its own.
  for (const log of [deps.logger, http.log]) log.level = config.log_level
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

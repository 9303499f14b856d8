import { createSigner } from '../http/signature.ts'
import { inBackground } from '../lib/in-background.ts'
import { webhookOptions, webhookSecrets } from './options.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/schema.ts'
import type { HubOptions } from '../core/hub-options.ts'
import type { Clock } from '../lib/clock.ts'
import type { RedisBus } from '../philote/redis-bus.ts'
import type { WebhookQueue } from '../store/webhook-queue.ts'
import type { Webhooks, WebhookSecrets } from '../webhooks/webhooks.ts'

interface WebhookDeps {
  /** Undefined: no webhooks. */
  readonly queue: WebhookQueue | undefined
  readonly clock: Clock
  readonly logger: FastifyBaseLogger
  readonly onFault: (error: unknown) => void
}

/** Loads the code on demand: servers without webhooks do not load its HTTP client. */
export async function openWebhooks(
  { queue, ...deps }: WebhookDeps,
  config: Config,
): Promise<Webhooks | undefined> {
  if (!queue) return undefined
  const { Webhooks } = await import('../webhooks/webhooks.ts')
  return new Webhooks({ ...deps, queue }, { ...webhookOptions(config), ...webhookSigning(config) })
}

/** The first secret signs the path as backends do. */
export function webhookSigning(config: Config): WebhookSecrets {
  const secrets = webhookSecrets(config)
  const signer = createSigner(secrets[0])
  return { secrets, signPath: (path, atSeconds) => signer.sign(path, atSeconds) }
}

/** What the hub reports: to Philote's Redis, and to webhooks what only this server notices. */
export const hubListeners = (
  bus: RedisBus | undefined,
  queue: WebhookQueue | undefined,
  onFault: (error: unknown) => void,
): Pick<HubOptions, 'onListening' | 'onPosted' | 'onSlowClient'> => ({
  ...(bus && { onListening: bus.onListening, onPosted: bus.onPosted }),
  onSlowClient: (facts) => inBackground(queue?.addSlowClient(facts), onFault),
})

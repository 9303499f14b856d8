import { endpointsOf } from './endpoint.ts'
import { httpPost } from './http-post.ts'
import { Sender } from './sender.ts'
import { webhookSigner } from './signature.ts'
import type { Clock } from '../lib/clock.ts'
import type { EndpointFigures, WebhookQueue } from '../store/webhook-queue.ts'
import type { Log } from './failure-log.ts'
import type { SenderCounts } from './sender.ts'
import type { SignPath, SignWebhook } from './signature.ts'

export interface WebhookSecrets {
  /** Each signs the body. */
  readonly secrets: readonly string[]
  readonly signPath: SignPath
}

export interface WebhookOptions extends WebhookSecrets {
  readonly urls: readonly string[]
  readonly timeoutMs: number
  /** Requests at the same time to each url. */
  readonly connections: number
  readonly installation: string
}

interface WebhookDeps {
  readonly queue: WebhookQueue
  readonly clock: Clock
  readonly logger: Log
  readonly onFault: (error: unknown) => void
}

/** An endpoint with the figures of the installation, and the counts of this server. */
export interface WebhookFigures extends EndpointFigures, SenderCounts {
  /** The url without user, password and query. */
  readonly endpoint: string
}

/** Sends what happens to the urls of `webhook_url`. */
export class Webhooks {
  readonly #senders: readonly Sender[]
  #sign: SignWebhook

  constructor(
    private readonly deps: WebhookDeps,
    { urls, timeoutMs, connections, installation, ...secrets }: WebhookOptions,
  ) {
    this.#sign = webhookSigner(secrets.secrets, secrets.signPath)
    const sign: SignWebhook = (...request) => this.#sign(...request)
    this.#senders = endpointsOf([...new Set(urls)]).map((endpoint) => {
      const { clock } = deps
      const http = httpPost({ endpoint, connections, timeoutMs, sign, clock })
      return new Sender({ ...deps, endpoint, http, connections, installation })
    })
  }

  /** Signs requests with these from now on. */
  changeSecrets({ secrets, signPath }: WebhookSecrets): void {
    this.#sign = webhookSigner(secrets, signPath)
  }

  start(): void {
    this.deps.queue.onAdded(() => {
      for (const sender of this.#senders) sender.added()
    })
    for (const sender of this.#senders) sender.start()
  }

  /** Stops within about `graceMs`. The store must still be open. */
  async stop(graceMs: number): Promise<void> {
    // Timers of the clock do not keep the process alive, and between two attempts there may be no socket.
    const keepAlive = setInterval(() => {}, 1000)
    try {
      await Promise.all(this.#senders.map((sender) => sender.stop(graceMs)))
    } finally {
      clearInterval(keepAlive)
    }
  }

  /** Counts of this server since its start. */
  counts(): ReadonlyMap<string, SenderCounts> {
    return new Map(this.#senders.map((sender) => [sender.endpoint.shown, sender.counts()]))
  }

  /** Rejects with `StoreUnavailable` while the store cannot be reached. */
  async figures(): Promise<WebhookFigures[]> {
    const found = await this.deps.queue.figures(this.#senders.map(({ endpoint }) => endpoint.id))
    return this.#senders.flatMap((sender) => {
      const figures = found.get(sender.endpoint.id)
      return figures ? [{ endpoint: sender.endpoint.shown, ...figures, ...sender.counts() }] : []
    })
  }
}

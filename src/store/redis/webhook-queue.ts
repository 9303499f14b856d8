import { clientSubject, slowClientMembers } from '../webhook-text.ts'
import type {
  EndpointFigures,
  EndpointStatus,
  QueuePart,
  QueuedEvent,
  ReadLimits,
  ResyncReason,
  SlowClientFacts,
  WebhookQueue,
} from '../webhook-queue.ts'
import type { ScriptRunner } from './script-runner.ts'

type ReadReply =
  | null
  | readonly [
      ...[at: string, reason: ResyncReason | '', dropped: number, run: string],
      events: readonly (readonly [n: string, subject: string, text: string])[],
    ]

/** The queue that all servers share. The scripts that make changes append to it. */
export class RedisWebhookQueue implements WebhookQueue {
  readonly outlivesServer = true
  #onAdded: () => void = () => {}

  constructor(private readonly runner: ScriptRunner) {}

  get epoch(): string {
    return this.runner.epoch
  }

  onAdded(listener: () => void): void {
    this.#onAdded = listener
  }

  /** Called when a script has appended an event, or may have while Redis was unavailable. */
  added(): void {
    this.#onAdded()
  }

  async addSlowClient(facts: SlowClientFacts): Promise<void> {
    // After a comma: the script puts the members behind others.
    await this.runner.run('addSlowClient', clientSubject(facts), `,${slowClientMembers(facts)}`)
  }

  async read(
    endpoint: string,
    { mostEvents, mostBytes }: ReadLimits,
  ): Promise<QueuePart | 'elsewhere'> {
    const reply = await this.runner.run('readWebhooks', endpoint, mostEvents, mostBytes)
    const part = reply as unknown as ReadReply
    if (part === null) return 'elsewhere'
    const [at, reason, dropped, run, found] = part
    const events = found.map(([n, subject, text]): QueuedEvent => ({ n: Number(n), subject, text }))
    return {
      events,
      through: events.at(-1)?.n ?? Number(at),
      resync: reason === '' ? undefined : { reason, dropped },
      life: run,
    }
  }

  async confirm(endpoint: string, { through, resync, life }: QueuePart): Promise<boolean> {
    const told = resync?.dropped ?? 0
    return (await this.runner.run('confirmWebhooks', endpoint, through, told, life)) === 1
  }

  async release(endpoint: string): Promise<void> {
    await this.runner.run('releaseWebhooks', endpoint)
  }

  async note(endpoint: string, status: EndpointStatus): Promise<boolean> {
    return (await this.runner.run('noteWebhook', endpoint, JSON.stringify(status))) === 1
  }

  async figures(endpoints: readonly string[]): Promise<Map<string, EndpointFigures>> {
    const reply = await this.runner.run('webhookFigures', endpoints.length, ...endpoints)
    const rows = reply as unknown as readonly (readonly [number, number, string])[]
    return new Map(
      rows.map(([queued, dropped, status], index) => [
        endpoints[index] as string,
        {
          queued,
          dropped,
          status: status === '' ? undefined : (JSON.parse(status) as EndpointStatus),
        },
      ]),
    )
  }
}

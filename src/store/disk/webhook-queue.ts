import type { MemoryWebhookQueue } from '../memory/webhook-queue.ts'
import type { Awaitable } from '../store.ts'
import type {
  EndpointFigures,
  EndpointStatus,
  QueuePart,
  ReadLimits,
  SlowClientFacts,
  WebhookQueue,
} from '../webhook-queue.ts'

/** What the queue needs of the store. */
export interface CommitDeps {
  /** Returns the result when what it shows is committed. */
  readonly read: <Result>(act: () => Result) => Awaitable<Result>
  /** The same, and rejects if that fails. */
  readonly change: <Result>(act: () => Result) => Awaitable<Result>
}

/** The queue of a single server, on disk: it goes on where it was when the server starts again. */
export class DiskWebhookQueue implements WebhookQueue {
  readonly outlivesServer = true

  constructor(
    private readonly memory: MemoryWebhookQueue,
    private readonly deps: CommitDeps,
  ) {}

  get epoch(): string {
    return this.memory.epoch
  }

  onAdded(listener: () => void): void {
    this.memory.onAdded(listener)
  }

  addSlowClient(facts: SlowClientFacts): Awaitable<void> {
    return this.deps.change(() => this.memory.addSlowClient(facts))
  }

  /** An endpoint never gets an event that may be lost. */
  read(endpoint: string, limits: ReadLimits): Awaitable<QueuePart> {
    return this.deps.change(() => this.memory.read(endpoint, limits))
  }

  confirm(endpoint: string, part: QueuePart): Awaitable<boolean> {
    return this.deps.change(() => this.memory.confirm(endpoint, part))
  }

  release(): void {}

  note(endpoint: string, status: EndpointStatus): Awaitable<boolean> {
    return this.deps.change(() => this.memory.note(endpoint, status))
  }

  figures(endpoints: readonly string[]): Awaitable<ReadonlyMap<string, EndpointFigures>> {
    return this.deps.read(() => this.memory.figures(endpoints))
  }
}

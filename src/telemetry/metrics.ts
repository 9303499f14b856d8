import { METRICS } from './metric-list.ts'
import type { Counter, Gauge, Registry } from 'prom-client'
import type { Traffic } from '../core/hub-options.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { Sample } from '../lib/tally.ts'
import type { SocketFigures } from '../net/socket-limits.ts'
import type { Figures } from '../store/store.ts'
import type { SenderCounts } from '../webhooks/sender.ts'
import type { WebhookFigures } from '../webhooks/webhooks.ts'
import type { HistogramSample, ProcessFigures, Scrape, UserRefusals } from './metric.ts'

/** The sources of the metrics. They are read only on a scrape, so that metrics cost nothing in between. */
export interface MetricsDeps {
  traffic(): Traffic
  /** Rejects if the store does not answer. */
  figures(): Promise<Figures>
  process(): ProcessFigures
  sockets(): SocketFigures
  userRefusals(): UserRefusals
  /** Of this server, by endpoint. Undefined without webhooks. */
  webhookCounts(): ReadonlyMap<string, SenderCounts> | undefined
  /** Undefined without webhooks. Rejects if the store does not answer. */
  webhooks(): Promise<readonly WebhookFigures[]> | undefined
  readonly requests: Scrape['requests']
  readonly closings: Scrape['closings']
}

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** Scrapers time out after ten seconds by default. They would then miss the metrics of this process as well. */
const STORE_WAIT_MS = 2_000

/**
 * The metrics of this server in the Prometheus text format.
 *
 * `prom-client` is loaded on the first scrape: it takes more memory than the server's own code, and many servers are
 * never scraped.
 */
export class Metrics {
  #registries: Promise<Registries> | undefined
  #exposing: Promise<Exposition> | undefined

  constructor(
    private readonly deps: MetricsDeps,
    private readonly clock: Pick<Clock, 'after' | 'now'>,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /**
   * Asks the store once and waits at most two seconds for it. If the store does not answer, its metrics are left out,
   * so that old values do not pass for new ones. Overlapping scrapes share one answer.
   */
  expose(): Promise<Exposition> {
    return (this.#exposing ??= this.#expose().finally(() => (this.#exposing = undefined)))
  }

  async #expose(): Promise<Exposition> {
    const { server, store, metrics } = await (this.#registries ??= openRegistries())
    const { deps } = this
    const askedAt = this.clock.now()
    let storeSeconds: number | undefined
    const [figures, webhooks] = await Promise.all([
      this.#inTime(async () => {
        const answer = await deps.figures()
        storeSeconds = (this.clock.now() - askedAt) / 1000
        return answer
      }),
      this.#inTime(async () => deps.webhooks()),
    ])
    const scrape = {
      traffic: deps.traffic(),
      process: deps.process(),
      sockets: deps.sockets(),
      userRefusals: deps.userRefusals(),
      webhookCounts: deps.webhookCounts() ?? new Map<string, SenderCounts>(),
      figures,
      webhooks: webhooks ?? [],
      requests: deps.requests,
      closings: deps.closings,
      storeSeconds,
    }
    for (const update of metrics) update(scrape)
    const texts = [await server.metrics(), ...(figures ? [await store.metrics()] : [])]
    return { contentType: server.contentType, text: texts.join('') }
  }

  /** Undefined if the store does not answer in time. */
  async #inTime<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    let cancel: Cancel | undefined
    const late = new Promise<undefined>((resolve) => {
      cancel = this.clock.after(STORE_WAIT_MS, () => resolve(undefined))
    })
    try {
      return await Promise.race([ask(), late])
    } catch (error) {
      this.onFault(error)
      return undefined
    } finally {
      cancel?.()
    }
  }
}

/** Two registries, because a metric of `prom-client` without labels always has a value and cannot be left out. */
interface Registries {
  readonly server: Registry
  readonly store: Registry
  readonly metrics: readonly ((scrape: Scrape) => void)[]
}

async function openRegistries(): Promise<Registries> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
  const [server, store] = [new Registry(), new Registry()]
  collectDefaultMetrics({ register: server })
  const metrics = METRICS.map((metric) => {
    const { name, help, of, labels = [] } = metric
    const register = of === 'store' ? store : server
    const settings = { name: `channelstream_${name}`, help, labelNames: [...labels] }
    if (metric.type === 'histogram') {
      const histogram = new ReadHistogram(settings)
      register.registerMetric(histogram as unknown as Gauge)
      return (scrape: Scrape) => (histogram.samples = metric.read(scrape))
    }
    const registers = [register]
    const collected =
      metric.type === 'gauge'
        ? new Gauge({ ...settings, registers })
        : new Counter({ ...settings, registers })
    return (scrape: Scrape) => {
      collected.reset()
      const value = metric.read(scrape)
      if (typeof value === 'number') add(collected, {}, value)
      else for (const sample of value) add(collected, sample.labels, sample.value)
    }
  })
  return { server, store, metrics }
}

/** A histogram that was counted elsewhere, in the form that a registry of `prom-client` writes. */
class ReadHistogram {
  readonly type = 'histogram'
  readonly aggregator = 'sum'
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  samples: readonly HistogramSample[] = []

  constructor({ name, help, labelNames }: Pick<ReadHistogram, 'name' | 'help' | 'labelNames'>) {
    this.name = name
    this.help = help
    this.labelNames = labelNames
  }

  reset(): void {
    this.samples = []
  }

  get(): object {
    return { ...this, values: this.samples.flatMap((sample) => this.#valuesOf(sample)) }
  }

  #valuesOf({ labels, histogram }: HistogramSample): object[] {
    const { bounds, counts, count, sum } = histogram
    const bucket = (le: number | '+Inf', value: number): object => ({
      metricName: `${this.name}_bucket`,
      labels: { le, ...labels },
      value,
    })
    return [
      ...bounds.map((bound, place) => bucket(bound, counts[place] ?? 0)),
      bucket('+Inf', count),
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ]
  }
}

function add(collected: Gauge | Counter, labels: Sample['labels'], value: number): void {
  if ('set' in collected) collected.set(labels, value)
  else collected.inc(labels, value)
}

import type { Traffic } from '../core/hub-options.ts'
import type { UserLimit } from '../core/user-limits.ts'
import type { HistogramView } from '../lib/histogram.ts'
import type { Labels, Sample } from '../lib/tally.ts'
import type { SocketFigures } from '../net/socket-limits.ts'
import type { Figures } from '../store/store.ts'
import type { SenderCounts } from '../webhooks/sender.ts'
import type { WebhookFigures } from '../webhooks/webhooks.ts'

/** Problems in this process since its start. */
export interface ProcessFigures {
  readonly faults: number
  readonly droppedLines: number
}

/** Refusals since the start of this process, because of the limits on users. */
export type UserRefusals = Readonly<Record<UserLimit, number>>

/** What was answered since the start of this process. */
export interface RequestSamples {
  requests(): readonly Sample[]
  seconds(): readonly HistogramSample[]
  refusals(): readonly Sample[]
}

/** The values of one scrape. */
export interface Scrape {
  readonly traffic: Traffic
  readonly process: ProcessFigures
  readonly sockets: SocketFigures
  readonly userRefusals: UserRefusals
  readonly webhookCounts: ReadonlyMap<string, SenderCounts>
  readonly figures: Figures | undefined
  readonly webhooks: readonly WebhookFigures[]
  readonly requests: RequestSamples
  readonly closings: { samples(): readonly Sample[] }
  /** How long the store took to answer this scrape. Undefined: it did not. */
  readonly storeSeconds: number | undefined
}

/** One histogram of a metric with labels. */
export interface HistogramSample {
  readonly labels: Labels
  readonly histogram: HistogramView
}

export type Value = number | readonly Sample[]

interface MetricFacts {
  readonly name: string
  readonly help: string
  /** Metrics of the store are left out while it does not answer. */
  readonly of: 'server' | 'store'
  readonly labels?: readonly string[]
}

export interface PlainMetric extends MetricFacts {
  readonly type: 'gauge' | 'counter'
  readonly read: (scrape: Scrape) => Value
}

export interface HistogramMetric extends MetricFacts {
  readonly type: 'histogram'
  readonly read: (scrape: Scrape) => readonly HistogramSample[]
}

export type Metric = PlainMetric | HistogramMetric

/** Where metrics and the panel read their figures. */
import { standardError } from '../telemetry/standard-streams.ts'
import type { Hub } from '../core/hub.ts'
import type { SocketLimits } from '../net/socket-limits.ts'
import type { Faults } from '../telemetry/faults.ts'
import type { MetricsDeps } from '../telemetry/metrics.ts'
import type { RequestFigures } from '../telemetry/request-figures.ts'
import type { Closings } from '../transports/closings.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { UserRefusalLog } from './user-limits.ts'

interface Sources {
  readonly hub: Hub
  readonly faults: Faults
  readonly limits: SocketLimits
  readonly userRefusals: UserRefusalLog
  readonly webhooks: Webhooks | undefined
  readonly requests: RequestFigures
  readonly closings: Closings
}

export const metricSources = ({
  hub,
  faults,
  limits,
  userRefusals,
  webhooks,
  requests,
  closings,
}: Sources): MetricsDeps => ({
  traffic: () => hub.traffic(),
  figures: () => hub.figures(),
  process: () => ({ faults: faults.count, droppedLines: standardError().dropped }),
  sockets: () => limits.figures,
  userRefusals: () => userRefusals.counts,
  webhookCounts: () => webhooks?.counts(),
  webhooks: () => webhooks?.figures(),
  requests,
  closings,
})

export const readingSources = (hub: Hub) => ({
  traffic: () => hub.traffic(),
  figures: () => hub.figures(),
  memoryBytes: () => process.memoryUsage.rss(),
})

import type { AddressList } from '../http/addresses.ts'
import type { AdminSessions } from '../http/admin/session.ts'
import type { Auth } from '../http/auth.ts'
import type { ForwardingRules } from '../http/forwarding.ts'
import type { OriginRules } from '../http/origins.ts'
import type { Yielder } from '../lib/yielder.ts'
import type { Faults } from '../telemetry/faults.ts'
import type { RequestFigures } from '../telemetry/request-figures.ts'
import type { Closings } from '../transports/closings.ts'
import type { LifecycleDeps } from './lifecycle.ts'

/** The parts that routes and transports need. */
export interface ServerDeps extends LifecycleDeps {
  readonly maybeYield: Yielder
  readonly auth: Auth
  readonly origins: OriginRules
  readonly forwarding: ForwardingRules
  /** Who may read /metrics without a signature. */
  readonly metricsFrom: AddressList
  readonly sessions: AdminSessions
  readonly faults: Faults
  readonly requests: RequestFigures
  readonly closings: Closings
  readonly onFault: (error: unknown) => void
}

export const uptimeOf =
  ({ hub, clock }: Pick<ServerDeps, 'hub' | 'clock'>) =>
  (): number =>
    (clock.now() - hub.startedAt) / 1000

import { Hub } from '../core/hub.ts'
import { Directory } from '../core/queries/directory.ts'
import { AddressList } from '../http/addresses.ts'
import { isPanelCall } from '../http/admin/access.ts'
import { listRoutes } from '../http/admin/lists.ts'
import { adminRoutes } from '../http/admin/routes.ts'
import { AdminSessions } from '../http/admin/session.ts'
import { Auth } from '../http/auth.ts'
import { clientFiles } from '../http/client-files.ts'
import { homeRoute } from '../http/home.ts'
import { streamPagedAnswers } from '../http/json-stream.ts'
import { collectOpenApi, serveOpenApi } from '../http/openapi/document.ts'
import { OriginRules } from '../http/origins.ts'
import { named } from '../http/plugin-name.ts'
import { channelRoutes } from '../http/routes/channels.ts'
import { connectionRoutes } from '../http/routes/connections.ts'
import { disconnectRoutes } from '../http/routes/disconnect.ts'
import { healthRoutes } from '../http/routes/health.ts'
import { historyRoutes } from '../http/routes/history.ts'
import { infoRoutes } from '../http/routes/info.ts'
import { messageRoutes } from '../http/routes/messages.ts'
import { metricsRoutes } from '../http/routes/metrics.ts'
import { buildHttp } from '../http/server.ts'
import { systemClock } from '../lib/clock.ts'
import { createYielder } from '../lib/yielder.ts'
import { SocketLimits } from '../net/socket-limits.ts'
import { measureDelay } from '../telemetry/event-loop.ts'
import { Faults } from '../telemetry/faults.ts'
import { FiguresHistory } from '../telemetry/history.ts'
import { openLog } from '../telemetry/log.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { Readings } from '../telemetry/readings.ts'
import { RequestFigures } from '../telemetry/request-figures.ts'
import { Closings } from '../transports/closings.ts'
import { acceptWebSockets } from '../transports/upgrades.ts'
import { uptimeOf } from './deps.ts'
import { lifecycleOf } from './lifecycle.ts'
import {
  adminCredentials,
  authRules,
  forwardingRules,
  hubOptions,
  logForm,
  requestRules,
  socketRules,
} from './options.ts'
import { createPhiloteServer, redisBus } from './philote.ts'
import { reloaderOf } from './reload.ts'
import { CurrentChecker, openSignatureChecker } from './signatures.ts'
import { metricSources, readingSources } from './sources.ts'
import { openStore } from './store.ts'
import { mountTransports, openAdminLive, upgradeOptions } from './transports.ts'
import { openUserRefusalLog, userLimits } from './user-limits.ts'
import { hubListeners, openWebhooks } from './webhooks.ts'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../lib/clock.ts'
import type { PhiloteServer } from '../philote/server.ts'
import type { AdminLive } from '../transports/admin-live.ts'
import type { ServerDeps } from './deps.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Reload, Running } from './reload.ts'

export interface App extends Lifecycle {
  readonly http: FastifyInstance
  readonly hub: Hub
  /** Only with a `philote_port`. */
  readonly philote: PhiloteServer | undefined
  readonly faults: Faults
  /** The limits on sockets, for both ports together. */
  readonly limits: SocketLimits
  readonly reload: Reload
}

/**
 * Creates all parts of a server and connects them. Only this folder names concrete classes. It has no rules of its own.
 */
export async function buildApp(config: Config, clock: Clock = systemClock): Promise<App> {
  const begunAt = clock.now()
  const running = { config }
  const logger = openLog(config.log_level, logForm(config))
  const faults = new Faults(logger)
  const onFault = faults.note
  // Before the store is opened: if this fails, open connections would keep the process alive.
  const checker = new CurrentChecker(await openSignatureChecker(config))
  const opened = await openStore(config, clock, logger, onFault)
  const { store, idempotencyCache, adminSessions, webhookQueue: queue } = opened
  const maybeYield = createYielder(clock)
  const bus = redisBus(config, logger)
  const hooks = hubListeners(bus, queue, onFault)
  const userRefusals = openUserRefusalLog(clock, logger)
  const rulesOfHub = { ...hubOptions(config), userLimits: userLimits(config, userRefusals) }
  const hub = new Hub(store, clock, { ...rulesOfHub, ...hooks, maybeYield, onFault })
  const webhooks = await openWebhooks({ queue, clock, logger, onFault }, config)
  bus?.setHub(hub)
  const forwarding = forwardingRules(config)
  const sessions = new AdminSessions(adminCredentials(config), adminSessions)
  const rules = { ...authRules(config), forwarding, checker }
  const auth = new Auth({ ...rules, isPanelCall: (call) => isPanelCall(sessions, call) }, clock)
  const origins = new OriginRules(config.allow_cors)
  const limits = new SocketLimits(socketRules(config, forwarding), clock, logger)
  const [requests, closings] = [new RequestFigures(), new Closings()]
  const http = await buildHttp({
    ...{ auth, clock, requests },
    origins,
    forwarding,
    logger,
    idempotencyCache,
    limits,
    ...requestRules(config),
    secret: () => running.config.secret,
    acceptWebSockets: (server) => acceptWebSockets(server, upgradeOptions(config)),
  })
  const openReadings = (): Readings => new Readings(readingSources(hub), clock, measureDelay())
  const deps: ServerDeps = {
    config,
    ...{ clock, begunAt },
    maybeYield,
    hub,
    http,
    limits,
    userRefusals,
    ...{ auth, origins, forwarding, sessions },
    metricsFrom: new AddressList(config.allow_metrics_from),
    history: new FiguresHistory(openReadings, clock, onFault),
    ...{ faults, requests, closings, onFault },
    webhooks,
  }
  const adminLive = openAdminLive(deps, openReadings)
  await mountRoutes(deps, new Directory(store, clock, maybeYield), adminLive, running)
  const philote = config.philote_port === 0 ? undefined : createPhiloteServer(deps, bus)
  return {
    ...{ http, hub, philote, faults, limits },
    ...lifecycleOf(deps, { bus, philote }),
    reload: reloaderOf(running, { ...deps, checker, philote, logger }),
  }
}

async function mountRoutes(
  deps: ServerDeps,
  directory: Directory,
  adminLive: AdminLive,
  running: Running,
): Promise<void> {
  const { config, clock, maybeYield, hub, http, sessions, history, onFault } = deps
  await collectOpenApi(http)
  for (const routes of [
    connectionRoutes,
    channelRoutes,
    infoRoutes,
    historyRoutes,
    messageRoutes,
    disconnectRoutes,
    healthRoutes,
  ]) {
    await http.register(named(routes), {
      hub,
      unknownFields: config.unknown_fields,
      checksConfiguredNames: config.channel_config_names === 'checked',
      streamPagedAnswers: streamPagedAnswers(maybeYield),
    })
  }
  await http.register(named(metricsRoutes), {
    metrics: new Metrics(metricSources(deps), clock, onFault),
    allowFrom: deps.metricsFrom,
    forwarding: deps.forwarding,
  })
  await mountTransports(deps, adminLive)
  await http.register(named(adminRoutes), {
    hub,
    sessions,
    clock,
    streamPagedAnswers: streamPagedAnswers(maybeYield),
  })
  await http.register(named(listRoutes), {
    sessions,
    directory,
    history,
    uptimeSeconds: uptimeOf(deps),
    webhooks: () => deps.webhooks?.figures(),
  })
  await serveOpenApi(http, sessions, () => running.config)
  await http.register(named(clientFiles), {})
  await http.register(named(homeRoute), { hub })
}

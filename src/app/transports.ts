/** Mounts the transports, and gives them what they need of HTTP and the configuration. */
import { admitLive, allowAdmin } from '../http/admin/access.ts'
import { errorReply, rawReply } from '../http/errors.ts'
import { isCallbackName, wrapJsonp } from '../http/jsonp.ts'
import { named } from '../http/plugin-name.ts'
import { AdminLive } from '../transports/admin-live.ts'
import { longPoll } from '../transports/long-poll.ts'
import { sseRoute } from '../transports/sse.ts'
import { webSocketRoute } from '../transports/websocket.ts'
import { uptimeOf } from './deps.ts'
import { intervalsOf, pollRules } from './options.ts'
import type { Config } from '../config/schema.ts'
import type { Readings } from '../telemetry/readings.ts'
import type { UpgradeOptions } from '../transports/upgrades.ts'
import type { ServerDeps } from './deps.ts'

export async function mountTransports(
  { config, clock, hub, http, origins, closings, onFault }: ServerDeps,
  adminLive: AdminLive,
): Promise<void> {
  const intervals = intervalsOf(config)
  await http.register(named(longPoll), {
    sessions: hub.sessions,
    clock,
    origins,
    jsonp: { isCallbackName, wrapJsonp },
    ...pollRules(config),
    intervals,
    onFault,
  })
  await http.register(named(webSocketRoute), {
    sessions: hub.sessions,
    origins,
    intervals,
    maxFramesPerHeartbeat: Math.ceil(
      config.max_client_messages_per_second * config.heartbeat_interval,
    ),
    closings,
    onFault,
  })
  await http.register(named(sseRoute), {
    sessions: hub.sessions,
    clock,
    origins,
    intervals,
    gcConnsMs: config.gc_conns_after * 1000,
    closings,
    errorReply,
    onFault,
  })
  await http.register(named(adminLive.route))
}

export function openAdminLive(deps: ServerDeps, openFigures: () => Readings): AdminLive {
  const { config, clock, hub, sessions, onFault } = deps
  return new AdminLive({
    guests: hub.guests,
    clock,
    admit: (request) => admitLive(sessions, request),
    onPlainRequest: allowAdmin(sessions),
    isSignedIn: (request) => sessions.isSignedIn(request),
    openFigures,
    uptimeSeconds: uptimeOf(deps),
    maxFramesPerSecond: config.max_client_messages_per_second,
    onFault,
  })
}

export const upgradeOptions = ({ max_frame_bytes: maxFrameBytes }: Config): UpgradeOptions => ({
  maxFrameBytes,
  refusal: (error) => rawReply(errorReply(error)),
})

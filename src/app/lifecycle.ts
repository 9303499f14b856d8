/** Starts and stops the parts of a server in the right order. */
import { listen, listenOnPassed, listenOnPath } from '../http/bind-port.ts'
import { openPort } from '../http/server.ts'
import { unixPathOf } from '../lib/unix-path.ts'
import { terminateWebSockets } from '../transports/upgrades.ts'
import { requestRules } from './options.ts'
import type { RequestListener } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/schema.ts'
import type { Hub } from '../core/hub.ts'
import type { ListenAddress } from '../http/bind-port.ts'
import type { Clock } from '../lib/clock.ts'
import type { PassedSockets } from '../net/passed-sockets.ts'
import type { SocketLimits } from '../net/socket-limits.ts'
import type { RedisBus } from '../philote/redis-bus.ts'
import type { PhiloteServer } from '../philote/server.ts'
import type { FiguresHistory } from '../telemetry/history.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { UserRefusalLog } from './user-limits.ts'

/** How long the start waits for the Redis of Philote. After that the server starts without it. */
const PHILOTE_REDIS_WAIT_MS = 1000

/** The part of `shutdown_grace` over which clients are sent to other servers. */
const SEND_AWAY_SHARE = 0.5

/** How long webhooks have for the last events, if clients needed all of `shutdown_grace`. */
const LAST_EVENTS_MS = 1000

/** The parts that start and stop. */
export interface LifecycleDeps {
  readonly config: Config
  readonly clock: Clock
  /** When the start of the server began, by the clock. */
  readonly begunAt: number
  readonly hub: Hub
  readonly http: FastifyInstance
  readonly limits: SocketLimits
  readonly userRefusals: UserRefusalLog
  readonly history: FiguresHistory
  /** Only with a `webhook_url`. */
  readonly webhooks: Webhooks | undefined
}

interface PhiloteDeps {
  readonly bus: RedisBus | undefined
  readonly philote: PhiloteServer | undefined
}

export interface Lifecycle {
  /**
   * Listens, on sockets that are open already or on the ports of the settings. Returns the address. The system chooses a
   * port if the setting is 0.
   */
  start(passed?: PassedSockets): Promise<ListenAddress>
  /** Tells load balancers to send no new clients, and goes on serving. Resolves after `shutdown_delay`. */
  leave(): Promise<void>
  /** Stops accepting, answers waiting polls, closes WebSockets and event streams, and after `shutdown_grace` destroys the rest. */
  stop(): Promise<void>
}

export function lifecycleOf(server: LifecycleDeps, philote: PhiloteDeps): Lifecycle {
  /** How long the start took. The next one will take about as long. */
  let startMs = 0
  return {
    async start(passed = {}) {
      const address = await start(server, philote, passed)
      startMs = server.clock.now() - server.begunAt
      return address
    },
    leave: () => leave(server),
    stop: () => stop(server, philote, startMs),
  }
}

/** Undoes the start if it fails. */
async function start(
  { config, hub, http, limits, history, webhooks }: LifecycleDeps,
  { bus, philote }: PhiloteDeps,
  passed: PassedSockets,
): Promise<ListenAddress> {
  if (!philote && passed.philote !== undefined)
    throw new Error('the supervisor passed a socket for Philote, which needs a philote_port')
  limits.start()
  hub.start()
  history.start()
  try {
    await bus?.connection.startOptional(PHILOTE_REDIS_WAIT_MS)
    const address = await openAddress({ config, http, limits }, passed)
    await philote?.start(passed.philote)
    webhooks?.start()
    return address
  } catch (error) {
    limits.stop()
    history.stop()
    // Clients may have come already.
    terminateWebSockets(http)
    http.server.closeAllConnections()
    await http.close()
    await hub.stop()
    bus?.connection.stop()
    throw error
  }
}

/** On the socket of a supervisor, on that of `host`, or on `host` and `port`. */
function openAddress(
  { config, http, limits }: Pick<LifecycleDeps, 'config' | 'http' | 'limits'>,
  passed: PassedSockets,
): Promise<ListenAddress> {
  if (passed.http !== undefined) return listenOnPassed(http, passed.http)
  const path = unixPathOf(config.host)
  if (path !== undefined) return listenOnPath(http, path, parseInt(config.unix_socket_mode, 8))
  const { keepAliveMs } = requestRules(config)
  const openOther = (handler: RequestListener) =>
    openPort({ limits, keepAliveMs, logger: http.log }, handler)
  return listen(http, config, openOther)
}

async function leave({ config, clock, http }: LifecycleDeps): Promise<void> {
  http.isLeaving = true
  if (config.shutdown_delay === 0) return
  await new Promise<void>((resolve) => void clock.after(config.shutdown_delay * 1000, resolve))
}

async function stop(
  server: LifecycleDeps,
  { bus, philote }: PhiloteDeps,
  startMs: number,
): Promise<void> {
  const { config, clock, hub, http, limits, userRefusals, history, webhooks } = server
  const began = clock.now()
  const cancelTermination = clock.after(config.shutdown_grace * 1000, () => {
    terminateWebSockets(http)
    philote?.terminate()
    http.server.closeAllConnections()
  })
  history.stop()
  const closed = Promise.all([http.close(), philote?.stop()])
  const isAlone = config.redis_url === ''
  // Without other servers, all clients wait until this one is back, and the sooner the better.
  const overMs = isAlone ? 0 : config.shutdown_grace * SEND_AWAY_SHARE * 1000
  const resumeWindowMs = config.resume_window * 1000
  hub.sendAway({ overMs, startMs: isAlone ? startMs : 0, resumeWindowMs })
  try {
    // Requests in progress still need the store.
    await closed
    const graceLeftMs = config.shutdown_grace * 1000 - (clock.now() - began)
    await webhooks?.stop(Math.max(graceLeftMs, LAST_EVENTS_MS))
  } finally {
    // Whatever failed, a store on disk has to write the end of its log.
    await hub.stop()
    bus?.connection.stop()
    limits.stop()
    userRefusals.stop()
    cancelTermination()
  }
}

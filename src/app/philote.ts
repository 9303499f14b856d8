import { parseConfig } from '../config/load.ts'
import { isForTls } from '../config/redis-tls.ts'
import { Hub } from '../core/hub.ts'
import { forwardedView } from '../http/forwarding.ts'
import { systemClock } from '../lib/clock.ts'
import { createYielder } from '../lib/yielder.ts'
import { SocketLimits } from '../net/socket-limits.ts'
import { JwtGeneration } from '../philote/jwt-generation.ts'
import { RedisBus } from '../philote/redis-bus.ts'
import { RedisGeneration } from '../philote/redis-generation.ts'
import { PhiloteServer } from '../philote/server.ts'
import { MemoryStore } from '../store/memory/store.ts'
import { Faults } from '../telemetry/faults.ts'
import { openLog } from '../telemetry/log.ts'
import { forwardingRules, hubOptions, socketRules, storeOptions } from './options.ts'
import { readCertificates } from './redis-tls.ts'
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { PhiloteSettings } from '../config/philote-environment.ts'
import type { Config } from '../config/schema.ts'
import type { ForwardingRules } from '../http/forwarding.ts'
import type { Clock } from '../lib/clock.ts'
import type { Closings } from '../transports/closings.ts'

export interface PhiloteApp {
  readonly log: FastifyBaseLogger
  readonly faults: Faults
  readonly philote: PhiloteServer
  readonly limits: SocketLimits
  /** Listens and returns the port, which the system chooses if the setting is 0. */
  start(): Promise<number>
  /**
   * Shuts down gracefully: stops accepting, asks clients to reconnect later, and cuts sockets after the grace period.
   */
  stop(): Promise<void>
}

export const SHUTDOWN_GRACE_SECONDS = 10

/**
 * The original Philote has no limits; these are far above its usual load. Its clients cannot catch up, so no frames are
 * kept.
 */
const LIMITS = parseConfig({
  channel_frames: 0,
  user_frames: 0,
  max_outbox_bytes: 33_554_432,
  shutdown_grace: SHUTDOWN_GRACE_SECONDS,
})
const MAX_FRAME_BYTES = 16_777_216
const MAX_FRAMES_PER_SECOND = 5000
const RATE_WINDOW_MS = 5000
/** How long the start tries to reach Redis, without which this server is useless. Like `redis_connect_timeout`. */
const REDIS_CONNECT_TIMEOUT_MS = 10_000

/** Builds a server for Philote only: a store, a hub, a port. */
export function buildPhilote(settings: PhiloteSettings, clock: Clock = systemClock): PhiloteApp {
  const logger = openLog(settings.logLevel)
  const faults = new Faults(logger)
  const onFault = faults.note
  const store = new MemoryStore(clock, storeOptions(LIMITS))
  const bus = redisBusAt(settings.redisUrl, logger)
  const onListening = bus?.onListening
  const hub = new Hub(store, clock, {
    ...hubOptions(LIMITS),
    maybeYield: createYielder(clock),
    onFault,
    onListening,
  })
  const { guests } = hub
  bus?.setHub(hub)
  const forwarding = forwardingRules(LIMITS)
  const limits = new SocketLimits(socketRules(LIMITS, forwarding), clock, logger)
  const philote = new PhiloteServer({
    generation: bus
      ? new RedisGeneration({ ...settings, bus, guests, isBridged: false, onFault })
      : new JwtGeneration(settings, clock, guests),
    guests,
    clock,
    host: settings.host,
    port: settings.port,
    maxFrameBytes: MAX_FRAME_BYTES,
    maxFrames: (MAX_FRAMES_PER_SECOND * RATE_WINDOW_MS) / 1000,
    windowMs: RATE_WINDOW_MS,
    ...socketOptions(limits, forwarding, logger),
    onFault,
    onFull: () => logger.warn('clients are dropped: MAX_CONNECTIONS is reached'),
  })
  return {
    log: logger,
    ...{ philote, faults, limits },
    async start() {
      limits.start()
      hub.start()
      try {
        await bus?.connection.start(REDIS_CONNECT_TIMEOUT_MS)
        return await philote.start()
      } catch (error) {
        limits.stop()
        await hub.stop()
        bus?.connection.stop()
        throw error
      }
    },
    async stop() {
      const cancelTermination = clock.after(LIMITS.shutdown_grace * 1000, () => philote.terminate())
      const stopped = philote.stop()
      await hub.stop()
      await stopped
      bus?.connection.stop()
      limits.stop()
      cancelTermination()
    },
  }
}

/** Philote's channels on Redis for a server with the REST API. Undefined without Philote or its Redis. */
export function redisBus(config: Config, log: FastifyBaseLogger): RedisBus | undefined {
  const { philote_port: port, philote_redis_url: url } = config
  if (port === 0 || url === '') return undefined
  const certificates = isForTls(url) ? readCertificates(config) : undefined
  return new RedisBus({ url, certificates, mark: newMark(), log })
}

const redisBusAt = (url: string | undefined, log: FastifyBaseLogger): RedisBus | undefined =>
  url === undefined ? undefined : new RedisBus({ url, mark: newMark(), log })

/** Marks messages of this process, so that it recognises them. */
const newMark = (): string => crypto.randomUUID().replaceAll('-', '').slice(0, 12)

interface PhiloteServerDeps {
  readonly config: Config
  readonly clock: Clock
  readonly hub: Hub
  readonly limits: SocketLimits
  readonly forwarding: ForwardingRules
  readonly http: { readonly log: FastifyBaseLogger }
  readonly closings: Closings
  readonly onFault: (error: unknown) => void
}

/** Builds Philote's port for a server with the REST API. Both use the same hub. */
export function createPhiloteServer(
  { config, clock, hub, limits, forwarding, http, closings, onFault }: PhiloteServerDeps,
  bus: RedisBus | undefined,
): PhiloteServer {
  const { guests } = hub
  const { philote_max_connections: maxConnections } = config
  return new PhiloteServer({
    generation: bus
      ? new RedisGeneration({ bus, guests, maxConnections, isBridged: true, onFault })
      : new JwtGeneration(jwtOptions(config), clock, guests),
    guests,
    clock,
    host: config.philote_host,
    port: config.philote_port,
    maxFrameBytes: config.philote_max_frame_bytes,
    maxFrames: Math.ceil(config.philote_max_messages_per_second * config.heartbeat_interval),
    windowMs: config.heartbeat_interval * 1000,
    closings,
    ...socketOptions(limits, forwarding, http.log),
    onFault,
    onFull: () => http.log.warn('Philote clients are dropped: philote_max_connections is reached'),
  })
}

const socketOptions = (
  limits: SocketLimits,
  forwarding: ForwardingRules,
  log: FastifyBaseLogger,
) => ({
  limits,
  log,
  addressOf: (request: IncomingMessage) => forwardedView(request, forwarding).address,
})

const jwtOptions = (config: Config) => ({
  secret: config.philote_secret,
  secretFallbacks: config.philote_secret_fallbacks,
  maxConnections: config.philote_max_connections,
  checkOrigin: config.philote_check_origin,
  ...PHILOTE_BUFFERS,
})

/** The buffer sizes that Philote reports without a setting. */
const PHILOTE_BUFFERS = { readBufferSize: 1024, writeBufferSize: 1024 }

import { AddressList } from './http/addresses.ts'
import { AdminSessions } from './http/admin/session.ts'
import { Auth } from './http/auth.ts'
import { Hub } from './core/hub.ts'
import { MemoryAnswers } from './store/memory/answers.ts'
import { JwtGeneration } from './philote/jwt.ts'
import { MemoryStore } from './store/memory.ts'
import { Metrics } from './telemetry/metrics.ts'
import { OriginRules } from './http/origins.ts'
import { PhiloteServer } from './philote/server.ts'
import { RedisBus } from './philote/redis-bus.ts'
import { RedisGeneration } from './philote/redis.ts'
import { adminRoutes } from './http/admin/routes.ts'
import { breathing } from './core/long.ts'
import { buildHttp } from './http/server.ts'
import { channelRoutes, infoRoutes } from './http/routes/channels.ts'
import { collectOpenApi, serveOpenApi } from './http/openapi.ts'
import { connectionRoutes } from './http/routes/connections.ts'
import { SIGNATURE_MAX_AGE_SECONDS, createSigner } from './http/signature.ts'
import { disconnectRoutes } from './http/routes/disconnect.ts'
import { errorReply, rawReply } from './http/reply-error.ts'
import { healthRoutes } from './http/routes/health.ts'
import { hubOptions, storeOptions } from './options.ts'
import { isCallbackName, wrapJsonp } from './http/jsonp.ts'
import { loadSignatureChecker, rememberVerified } from './http/signature-checker.ts'
import { longAnswers } from './http/long-json.ts'
import { longPoll } from './transports/longpoll.ts'
import { messageRoutes } from './http/routes/messages.ts'
import { metricsRoutes } from './http/routes/metrics.ts'
import { mountWebSocket, webSocketRoute } from './transports/websocket.ts'
import { openLog } from './telemetry/log.ts'
import { stripPrefix } from './http/forwarding.ts'
import { systemClock } from './clock.ts'
import type { Breath } from './core/long.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/schema.ts'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ForwardingRules } from './http/forwarding.ts'
import type { IncomingMessage } from 'node:http'
import type { SignatureChecker } from './http/signature.ts'
import type { WebSockets } from './transports/websocket.ts'

export interface App {
  readonly http: FastifyInstance
  readonly hub: Hub
  /** Only with a `philote_port`. */
  readonly philote: PhiloteServer | undefined
  /** Listens; answers the port, which the system chooses if the setting is 0. */
  start(): Promise<number>
  /** Stops accepting, answers waiting polls, asks sockets to come back later, and cuts them after `shutdown_grace`. */
  stop(): Promise<void>
}

/** Puts the parts together. The one place that names concrete classes; it decides nothing. */
export async function buildApp(config: Config, clock: Clock = systemClock): Promise<App> {
  const logger = openLog(config.log_level)
  const onFault = (error: unknown): void =>
    logger.error({ err: error }, 'something failed in the background')
  const store = new MemoryStore(clock, storeOptions(config))
  const breath = breathing(clock)
  const bus = redisBus(config, store.epoch, logger)
  const hooks = bus && { onListening: bus.onListening, onPosted: bus.onPosted }
  const hub = new Hub(store, clock, { ...hubOptions(config), ...hooks, breath, onFault })
  bus?.speakTo(hub)
  const forwarding = forwardingRules(config)
  const auth = new Auth(
    { ...authRules(config), forwarding, checker: await signatureChecker(config) },
    clock,
  )
  const origins = new OriginRules(config.allow_cors)
  const http = buildHttp({
    auth,
    origins,
    forwarding,
    logger,
    answers: new MemoryAnswers(clock, answersOptions(config)),
    maxBodyBytes: config.max_body_bytes,
  })
  const edge: Edge = { config, clock, breath, hub, http, auth, origins, onFault, bus }
  await mountRoutes(edge)
  const webSockets = mountSockets(edge)
  const philote = config.philote_port === 0 ? undefined : philoteServer(edge)
  return {
    http,
    hub,
    philote,
    start: () => start(edge, philote),
    stop: () => stop(edge, [webSockets, ...(philote ? [philote] : [])], philote),
  }
}

interface Edge {
  readonly config: Config
  readonly clock: Clock
  readonly breath: Breath
  readonly hub: Hub
  readonly http: FastifyInstance
  readonly auth: Auth
  readonly origins: OriginRules
  readonly onFault: (error: unknown) => void
  readonly bus: RedisBus | undefined
}

async function mountRoutes({ config, clock, breath, hub, http, origins }: Edge): Promise<void> {
  const sessions = new AdminSessions(adminCredentials(config), clock)
  await collectOpenApi(http)
  for (const routes of [
    connectionRoutes,
    channelRoutes,
    infoRoutes,
    messageRoutes,
    disconnectRoutes,
    healthRoutes,
  ]) {
    await http.register(routes, { hub, longAnswers: longAnswers(breath) })
  }
  await http.register(metricsRoutes, {
    metrics: new Metrics(hub),
    allowFrom: new AddressList(config.allow_metrics_from),
  })
  await http.register(longPoll, {
    sessions: hub.sessions,
    clock,
    origins,
    jsonp: { isCallbackName, wrapJsonp },
    times: {
      wakeMs: config.wake_connections_after * 1000,
      gatherMs: config.poll_gather * 1000,
      answerMs: config.gc_conns_after * 1000,
    },
    maxGatheredBytes: config.max_outbox_bytes,
  })
  await http.register(webSocketRoute)
  await http.register(adminRoutes, { hub, sessions, clock, longAnswers: longAnswers(breath) })
  await serveOpenApi(http, sessions)
}

function mountSockets({ config, hub, http, auth, origins, onFault }: Edge): WebSockets {
  return mountWebSocket(http.server, {
    sessions: hub.sessions,
    origins,
    refusal: (error) => rawReply(errorReply(error)),
    admit: (request: IncomingMessage) => ({
      url: stripPrefix(request.url ?? '/', auth.view(request).prefix),
    }),
    maxFrameBytes: config.max_frame_bytes,
    maxFramesPerHeartbeat: Math.ceil(
      config.max_client_messages_per_second * config.heartbeat_interval,
    ),
    onFault,
  })
}

/** Philote's channels on Redis; none without Philote. */
function redisBus(config: Config, mark: string, log: FastifyBaseLogger): RedisBus | undefined {
  const { philote_port: port, philote_redis_url: url } = config
  return port === 0 || url === '' ? undefined : new RedisBus({ url, mark, log })
}

function philoteServer({ config, clock, hub, http, onFault, bus }: Edge): PhiloteServer {
  const { guests } = hub
  const { philote_max_connections: maxConnections } = config
  return new PhiloteServer({
    generation: bus
      ? new RedisGeneration({ bus, guests, maxConnections, hearsAll: true })
      : new JwtGeneration(jwtOptions(config), clock, guests),
    guests,
    clock,
    host: config.philote_host,
    port: config.philote_port,
    maxFrameBytes: config.philote_max_frame_bytes,
    maxFrames: Math.ceil(config.philote_max_messages_per_second * config.heartbeat_interval),
    windowMs: config.heartbeat_interval * 1000,
    onFault,
    onFull: () => http.log.warn('Philote clients are dropped: philote_max_connections is reached'),
  })
}

const jwtOptions = (config: Config) => ({
  secret: config.philote_secret,
  maxConnections: config.philote_max_connections,
  checkOrigin: config.philote_check_origin,
  ...PHILOTE_BUFFERS,
})

/** What Philote says of buffers that it was told nothing of. */
const PHILOTE_BUFFERS = { readBufferSize: 1024, writeBufferSize: 1024 }

async function start(
  { config, hub, http, bus }: Edge,
  philote: PhiloteServer | undefined,
): Promise<number> {
  hub.start()
  await bus?.link.start()
  await http.listen({ host: config.host, port: config.port })
  try {
    await philote?.start()
  } catch (error) {
    await http.close()
    throw error
  }
  const address = http.server.address()
  return typeof address === 'object' && address ? address.port : config.port
}

async function stop(
  { config, clock, hub, http, bus }: Edge,
  sockets: readonly WebSockets[],
  philote: PhiloteServer | undefined,
): Promise<void> {
  const cancelCut = clock.after(config.shutdown_grace * 1000, () => {
    for (const some of sockets) some.terminate()
    http.server.closeAllConnections()
  })
  const closed = Promise.all([http.close(), philote?.stop()])
  await hub.stop()
  await closed
  bus?.link.stop()
  cancelCut()
}

async function signatureChecker(config: Config): Promise<SignatureChecker> {
  const { secret, signature_checker: module } = config
  const maxAgeSeconds = config.validate_requests ? SIGNATURE_MAX_AGE_SECONDS : Infinity
  const checker =
    module === ''
      ? createSigner(secret, { maxAgeSeconds })
      : await loadSignatureChecker(module, { secret, maxAgeSeconds }, process.cwd())
  return rememberVerified(checker, config.max_cached_signatures)
}

const forwardingRules = (config: Config): ForwardingRules => ({
  trustedProxies: new AddressList(config.trusted_proxies),
  httpScheme: config.http_scheme,
})

const authRules = (config: Config) => ({
  allowPostingFrom: new AddressList(config.allow_posting_from),
  signatureScope: config.signature_scope,
  enforceHttps: config.enforce_https,
})

const adminCredentials = (config: Config) => ({
  user: config.admin_user,
  secret: config.admin_secret,
  cookieSecret: config.cookie_secret,
})

const answersOptions = (config: Config) => ({
  windowMs: config.idempotency_window * 1000,
  maxBytes: config.max_idempotency_bytes,
})

import { AddressList } from './http/addresses.ts'
import { AdminSessions } from './http/admin/session.ts'
import { Auth } from './http/auth.ts'
import { Hub } from './core/hub.ts'
import { MemoryAnswers } from './store/memory/answers.ts'
import { MemoryStore } from './store/memory.ts'
import { Metrics } from './telemetry/metrics.ts'
import { OriginRules } from './http/origins.ts'
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
import type { FastifyInstance } from 'fastify'
import type { ForwardingRules } from './http/forwarding.ts'
import type { IncomingMessage } from 'node:http'
import type { SignatureChecker } from './http/signature.ts'
import type { WebSockets } from './transports/websocket.ts'

export interface App {
  readonly http: FastifyInstance
  readonly hub: Hub
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
  const hub = new Hub(store, clock, { ...hubOptions(config), breath, onFault })
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
  const edge: Edge = { config, clock, breath, hub, http, auth, origins, onFault }
  await mountRoutes(edge)
  const webSockets = mountSockets(edge)
  return {
    http,
    hub,
    start: () => start(edge),
    stop: () => stop(edge, webSockets),
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

async function start({ config, hub, http }: Edge): Promise<number> {
  hub.start()
  await http.listen({ host: config.host, port: config.port })
  const address = http.server.address()
  return typeof address === 'object' && address ? address.port : config.port
}

async function stop({ config, clock, hub, http }: Edge, webSockets: WebSockets): Promise<void> {
  const cancelCut = clock.after(config.shutdown_grace * 1000, () => {
    webSockets.terminate()
    http.server.closeAllConnections()
  })
  const closed = http.close()
  await hub.stop()
  await closed
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

const storeOptions = (config: Config) => ({
  gcUsersMs: config.gc_users_after * 1000,
  gcChannelsMs: config.gc_channels_after * 1000,
  channelFrames: config.channel_frames,
  userFrames: config.user_frames,
  maxStateBytes: config.max_state_bytes,
  presenceListLimit: config.presence_list_limit,
})

const answersOptions = (config: Config) => ({
  windowMs: config.idempotency_window * 1000,
  maxBytes: config.max_idempotency_bytes,
})

const hubOptions = (config: Config) => ({
  maxMessagesPerRequest: config.max_messages_per_request,
  maxChannelsPerRequest: config.max_channels_per_request,
  maxHistorySize: config.max_history_size,
  maxStateBytes: config.max_state_bytes,
  maxOutboxBytes: config.max_outbox_bytes,
  gcChannelsMs: config.gc_channels_after * 1000,
  heartbeatIntervalMs: config.heartbeat_interval * 1000,
  gcConnsMs: config.gc_conns_after * 1000,
  resumeWindowMs: config.resume_window * 1000,
})

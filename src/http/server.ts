import fastify, { LogController } from 'fastify'
import { RefusalLog } from '../lib/refusal-log.ts'
import { openServer } from '../net/server.ts'
import { restOf } from '../net/unread-rest.ts'
import { RequestError } from '../protocol/errors.ts'
import { writeJson } from '../protocol/exact-numbers.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { logAccess } from './access-log.ts'
import { readBodies } from './bodies.ts'
import { limitClients } from './client-limits.ts'
import { onError, refusalAnswer } from './errors.ts'
import { forwardedView, stripPrefix } from './forwarding.ts'
import { answerRepeats } from './idempotency.ts'
import { FIXED_CORS_HEADERS } from './origins.ts'
import { validatorCompilerFor } from './validation.ts'
import { WebSocketUpgradeFilter } from './websocket-upgrade-filter.ts'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import type { SocketLimits } from '../net/socket-limits.ts'
import type { UnreadRest } from '../net/unread-rest.ts'
import type { UnknownFields } from '../protocol/unknown-fields.ts'
import type { IdempotencyCache } from '../store/idempotency-cache.ts'
import type { Auth, Caller } from './auth.ts'
import type { BodyLimits } from './bodies.ts'
import type { ForwardingRules } from './forwarding.ts'
import type { OriginRules } from './origins.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** True from the signal to stop on. The server still serves until `isStopping`. */
    isLeaving: boolean
    /** True from the first `preClose` hooks on. */
    isStopping: boolean
  }
  interface FastifyRequest {
    caller: Caller
    /** By the clock. 0: the framework refused it before routing. */
    begunAt: number
  }
  interface FastifyContextConfig {
    /** `backend`: only signed requests may call the route. The default is everybody. */
    access?: 'backend'
    /** Not subject to `enforce_https`: what asks stands beside the server, and not behind its proxy. */
    takesHttp?: boolean
  }
}

/** A route as the server has registered it, without what a caller has put in its place. */
export interface Route {
  readonly method: string
  /** Undefined: no route. */
  readonly url: string | undefined
}

/** Counts the answers. */
export interface RequestCounter {
  /** `of`: an object that belongs to the route. `ms`: from the request's headers to its answer. */
  answered(of: object | undefined, route: () => Route, status: number, ms: number): void
  /** `code`: that of the header `x-channelstream-error`. */
  refused(code: string): void
}

export interface HttpOptions extends BodyLimits {
  readonly auth: Auth
  readonly clock: Pick<Clock, 'after' | 'now'>
  readonly idempotencyCache: IdempotencyCache
  /** The secret that ids of idempotent requests are derived from. All servers of an installation use the same. */
  readonly secret: () => string
  readonly origins: OriginRules
  readonly forwarding: ForwardingRules
  readonly logger: FastifyBaseLogger
  readonly limits: SocketLimits
  readonly requests: RequestCounter
  readonly unknownFields: UnknownFields
  /** How long an idle HTTP connection stays open. A whole number of seconds, because responses say how many. */
  readonly keepAliveMs: number
  readonly hasAccessLog: boolean
  /** Routes upgrades. Called before hooks are added. */
  readonly acceptWebSockets: (http: FastifyInstance) => Promise<void>
}

/**
 * Headers of every response. Caches must not keep responses, because they describe one moment and many are for one
 * caller only. Files that never change, such as those of the panel, override this.
 */
const FIXED_HEADERS = {
  ...FIXED_CORS_HEADERS,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const JSON_TYPE = 'application/json'

export type PortOptions = Pick<HttpOptions, 'limits' | 'logger' | 'keepAliveMs'>

/** Creates a server for one address. It does not listen yet. */
export const openPort = (
  { limits, logger, keepAliveMs }: PortOptions,
  handler: RequestListener,
): Server =>
  openServer({
    options: { IncomingMessage: WebSocketUpgradeFilter, keepAliveTimeout: keepAliveMs },
    handler,
    limits,
    refusal: refusalAnswer,
    log: logger,
  })

/** Creates the web server without routes: callers and their rights, bodies, CORS and error responses. */
export async function buildHttp(options: HttpOptions): Promise<FastifyInstance> {
  const { requests } = options
  const http = fastify({
    loggerInstance: options.logger,
    // Requests are not logged, because their URLs may contain signatures. A logger per request would cost time.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    rewriteUrl: (request) => withoutPrefix(request, options.forwarding),
    serverFactory: (handler) => openPort(options, handler),
    exposeHeadRoutes: false,
    frameworkErrors(error, request, reply) {
      // Hooks do not run for requests that Fastify refuses before routing.
      setFixedHeaders(request, reply, options.origins)
      if ('upgrade' in request.raw && request.raw.upgrade === true) closeAfterAnswer(request, reply)
      onError(error, request, reply)
      count(requests, reply, options.clock.now())
    },
    // `openServer` answers client errors.
    clientErrorHandler() {},
  })
  http.setValidatorCompiler(validatorCompilerFor(options.unknownFields))
  http.setSerializerCompiler(() => writeJson)
  http.setErrorHandler(onError)
  http.setNotFoundHandler(() => {
    throw new RequestError('NOT_FOUND')
  })
  await options.acceptWebSockets(http)
  readBodies(http, options)
  watchForStop(http)
  if (options.hasAccessLog) logAccess(http, options)
  admit(http, options)
  limitClients(http, options.limits)
  answerRepeats(http, options.idempotencyCache, options.secret)
  answerTogether(http, options)
  http.options(
    '/*',
    { schema: { hide: true }, config: { body: 'unread' } },
    async (_request, reply) => reply.type('text/plain').send(''),
  )
  return http
}

function withoutPrefix(request: IncomingMessage, forwarding: ForwardingRules): string {
  const url = request.url ?? '/'
  if (request.headers['x-script-name'] === undefined) return url
  return stripPrefix(url, forwardedView(request, forwarding).prefix)
}

/** Sets `isStopping` when the server begins to close. */
function watchForStop(http: FastifyInstance): void {
  http.decorate('isLeaving', false)
  http.decorate('isStopping', false)
  http.addHook('preClose', (done) => {
    http.isStopping = true
    done()
  })
}

/** Before the body is read: sets CORS headers (for errors too), identifies the caller and checks their rights. */
function admit(http: FastifyInstance, { auth, origins, clock, logger }: HttpOptions): void {
  const unlisted = new RefusalLog(clock, logger, UNLISTED)
  http.addHook('onClose', async () => unlisted.stop())
  const letIn = (request: FastifyRequest, caller: Caller): void => {
    request.caller = caller
    if (request.routeOptions.config.access !== 'backend' || caller.isBackend) return
    if (!caller.isUnlisted) throw new RequestError('FORBIDDEN')
    unlisted.note('unlisted', { address: caller.view.address })
    throw new RequestError('ADDRESS_NOT_ALLOWED')
  }
  http.decorateRequest('caller')
  http.decorateRequest('begunAt', 0)
  http.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    request.begunAt = clock.now()
    setFixedHeaders(request, reply, origins)
    // Bodies are JSON, whatever the content type is (recorded: http-content-type-ignored), even an unreadable one.
    if (request.raw.headers['content-type'] !== undefined)
      request.raw.headers['content-type'] = JSON_TYPE
    // If the upgrade is refused. The plugin then closes the socket.
    if (request.ws) reply.header('connection', 'close')
    if (http.isStopping) throw new RequestError('STOPPING')
    const caller = request.ws
      ? callerOfUpgrade(request, auth)
      : auth.identify(request.raw, request.routeOptions.config.takesHttp)
    if (!(caller instanceof Promise)) {
      letIn(request, caller)
      return done()
    }
    caller.then((found) => letIn(request, found)).then(() => done(), done)
  })
}

function setFixedHeaders(request: FastifyRequest, reply: FastifyReply, origins: OriginRules): void {
  const allowed = origins.allowHeader(request.headers.origin)
  if (allowed) reply.header('access-control-allow-origin', allowed)
  reply.headers(FIXED_HEADERS)
}

/** Closes the socket of an upgrade that Fastify refuses before routing, where no hook of the plugin does it. */
function closeAfterAnswer({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.header('connection', 'close')
  reply.raw.once('finish', () => raw.socket.destroySoon())
}

/** Throws `NOT_FOUND` (404) unless the route accepts WebSockets. Signatures of upgrades are ignored, as recorded. */
function callerOfUpgrade(request: FastifyRequest, auth: Auth): Caller {
  const view = auth.view(request.raw)
  if (request.routeOptions.config.acceptsWebSocket !== true) throw new RequestError('NOT_FOUND')
  return { view, isBackend: false }
}

const UNLISTED = {
  unlisted:
    'a request with a signature was answered 403, because allow_posting_from does not have its address',
}

/**
 * Writes the responses of one event-loop turn together, at its end. Writing each response when it is ready would wake
 * the caller each time, which costs the system more than all the work of the server for a message.
 */
function answerTogether(http: FastifyInstance, { clock, requests }: HttpOptions): void {
  let ready: Ready[] = []
  const writeAll = (): void => {
    const answers = ready
    ready = []
    const now = clock.now()
    for (const { reply, write, rest } of answers) {
      try {
        if (rest?.isLong) {
          reply.header('connection', 'close')
          rest.leave()
        }
        // Idle connections were closed when the stop began. This one was not idle.
        if (http.isStopping) reply.header('connection', 'close')
        write()
        count(requests, reply, now)
      } catch (error) {
        reply.log.error({ err: error }, 'an answer could not be written')
        reply.raw.destroy()
      }
    }
  }
  http.addHook('onSend', ({ raw }, reply, _payload, write) => {
    if (ready.push({ reply, write, rest: restOf(raw) }) === 1) setImmediate(writeAll)
  })
}

/** `now`: by the clock. */
function count(requests: RequestCounter, reply: FastifyReply, now: number): void {
  const { request, statusCode } = reply
  const { routeOptions, begunAt } = request
  const ms = begunAt === 0 ? 0 : now - begunAt
  requests.answered(routeOptions.config, () => routeOf(routeOptions), statusCode, ms)
  const code = statusCode < 400 ? undefined : reply.getHeader(ERROR_HEADER)
  if (typeof code === 'string') requests.refused(code)
}

const routeOf = ({ method, url }: FastifyRequest['routeOptions']): Route => ({
  method: url === undefined ? 'any' : [method ?? 'any'].flat().join(' '),
  url,
})

interface Ready {
  readonly reply: FastifyReply
  readonly write: () => void
  /** The unread rest of the body, if the request is answered before its body was read. */
  readonly rest: UnreadRest | undefined
}

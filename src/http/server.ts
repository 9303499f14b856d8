import fastify, { LogController } from 'fastify'
import { openServer } from '../net/server.ts'
import { restOf } from '../net/unread-rest.ts'
import { RequestError } from '../protocol/errors.ts'
import { writeJson } from '../protocol/exact-numbers.ts'
import { readBodies } from './bodies.ts'
import { onError, refusalAnswer } from './errors.ts'
import { forwardedView, stripPrefix } from './forwarding.ts'
import { answerRepeats } from './idempotency.ts'
import { FIXED_CORS_HEADERS } from './origins.ts'
import { countPassedOn } from './socket-places.ts'
import { validatorCompiler } from './validation.ts'
import { WebSocketUpgradeFilter } from './websocket-upgrade-filter.ts'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SocketLimits } from '../net/socket-limits.ts'
import type { UnreadRest } from '../net/unread-rest.ts'
import type { IdempotencyCache } from '../store/idempotency-cache.ts'
import type { Auth, Caller } from './auth.ts'
import type { BodyLimits } from './bodies.ts'
import type { ForwardingRules } from './forwarding.ts'
import type { OriginRules } from './origins.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
  interface FastifyContextConfig {
    /** Who may call the route: the backend, with a signature; else anybody. */
    access?: 'backend'
  }
}

export interface HttpOptions extends BodyLimits {
  readonly auth: Auth
  readonly idempotencyCache: IdempotencyCache
  /** What ids are made with, the same for all servers that share answers. */
  readonly secret: string
  readonly origins: OriginRules
  readonly forwarding: ForwardingRules
  readonly logger: FastifyBaseLogger
  readonly limits: SocketLimits
  /** Routes upgrades. Called before any hook is added. */
  readonly acceptWebSockets: (http: FastifyInstance) => Promise<void>
}

/**
 * On every answer. One object, because it is put on each. No answer is kept by a cache: each says how things are at that
 * moment, and many are for one caller only. What never changes, as the files of the panel, says so itself.
 */
const FIXED_HEADERS = {
  ...FIXED_CORS_HEADERS,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const JSON_TYPE = 'application/json'

/** How long a connection may be kept without a request. */
const KEEP_ALIVE_MS = 72_000

/** A server for one address. It does not listen yet. */
export const openPort = (
  { limits, logger }: Pick<HttpOptions, 'limits' | 'logger'>,
  handler: RequestListener,
): Server =>
  openServer({
    options: { IncomingMessage: WebSocketUpgradeFilter, keepAliveTimeout: KEEP_ALIVE_MS },
    handler,
    limits,
    refusal: refusalAnswer,
    log: logger,
  })

/** The web server without routes: who calls, what they may, how bodies are read and errors answered. */
export async function buildHttp(options: HttpOptions): Promise<FastifyInstance> {
  const http = fastify({
    loggerInstance: options.logger,
    // Requests are not logged: their urls may hold signatures. Nor does each get a logger of its own.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    rewriteUrl: (request) => withoutPrefix(request, options.forwarding),
    serverFactory: (handler) => openPort(options, handler),
    exposeHeadRoutes: false,
    frameworkErrors(error, request, reply) {
      // Hooks do not run for what Fastify refuses before it knows the route.
      setFixedHeaders(request, reply, options.origins)
      if ('upgrade' in request.raw && request.raw.upgrade === true) endWithAnswer(request, reply)
      onError(error, request, reply)
    },
    // `openServer` answers them.
    clientErrorHandler() {},
  })
  http.setValidatorCompiler(validatorCompiler)
  http.setSerializerCompiler(() => writeJson)
  http.setErrorHandler(onError)
  http.setNotFoundHandler(() => {
    throw new RequestError('NOT_FOUND')
  })
  await options.acceptWebSockets(http)
  readBodies(http, options)
  const isStopping = watchForStop(http)
  admit(http, options, isStopping)
  countPassedOn(http, options.limits)
  answerRepeats(http, options.idempotencyCache, options.secret)
  answerTogether(http, isStopping)
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

/** Answers whether the server has begun to stop. */
function watchForStop(http: FastifyInstance): () => boolean {
  let isStopping = false
  http.addHook('preClose', (done) => {
    isStopping = true
    done()
  })
  return () => isStopping
}

/** Before a body is read: CORS, so that errors carry it too, then who calls, then whether they may. */
function admit(
  http: FastifyInstance,
  { auth, origins }: HttpOptions,
  isStopping: () => boolean,
): void {
  http.decorateRequest('caller')
  http.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    setFixedHeaders(request, reply, origins)
    // Whatever it says, the body is JSON (recorded: http-content-type-ignored), also where it says nothing readable.
    if (request.raw.headers['content-type'] !== undefined)
      request.raw.headers['content-type'] = JSON_TYPE
    if (request.ws) endWithAnswer(request, reply)
    if (isStopping()) throw new RequestError('STOPPING')
    if (request.ws) {
      admitWebSocket(request, auth)
      return done()
    }
    const caller = auth.identify(request.raw)
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

/** A WebSocket that is refused is no connection for another request. */
function endWithAnswer({ raw }: FastifyRequest, reply: FastifyReply): void {
  reply.header('connection', 'close')
  reply.raw.once('finish', () => raw.socket.destroySoon())
}

/** Throws `NOT_FOUND` (404) where no WebSocket is served. A signature means nothing there, as recorded. */
function admitWebSocket(request: FastifyRequest, auth: Auth): void {
  request.caller = { view: auth.view(request.raw), isBackend: false }
  if (request.routeOptions.config?.acceptsWebSocket !== true) throw new RequestError('NOT_FOUND')
}

function letIn(request: FastifyRequest, caller: Caller): void {
  request.caller = caller
  if (request.routeOptions.config.access === 'backend' && !caller.isBackend)
    throw new RequestError('FORBIDDEN')
}

/**
 * The answers of one turn of the event loop are written one after the other at its end. Written each as it is ready,
 * they wake the caller each time, which costs the system more than all that the server itself does for a message.
 */
function answerTogether(http: FastifyInstance, isStopping: () => boolean): void {
  let ready: Ready[] = []
  const writeAll = (): void => {
    const answers = ready
    ready = []
    for (const { reply, write, rest } of answers) {
      try {
        if (rest?.isLong) {
          reply.header('connection', 'close')
          rest.leave()
        }
        // When the stop began, the connections that were idle were closed; this one was not.
        if (isStopping()) reply.header('connection', 'close')
        write()
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

interface Ready {
  readonly reply: FastifyReply
  readonly write: () => void
  /** What is answered before its body was read. */
  readonly rest: UnreadRest | undefined
}

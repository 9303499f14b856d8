/** Makes WebSockets ordinary routes: hooks, query checks and error responses are those of every request. */
import { EventEmitter } from 'node:events'
import websocket from '@fastify/websocket'
import { z } from 'zod'
import { isWaiting } from '../net/pipelines.ts'
import { errorAnswer } from '../protocol/error-answers.ts'
import { RequestError } from '../protocol/errors.ts'
import { readFrames, refuseUpgrade, webSocketSettings } from './frame-socket.ts'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebsocketPluginOptions } from '@fastify/websocket'
import type {
  FastifyInstance,
  FastifyRequest,
  FastifySchema,
  onRequestAsyncHookHandler,
} from 'fastify'
import type { ClientSocket, FrameSocket } from './frame-socket.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route has a `wsHandler`. Other routes refuse upgrades with 404. */
    acceptsWebSocket?: boolean
  }
}

type Settings = NonNullable<WebsocketPluginOptions['options']>

export interface UpgradeOptions {
  /** The largest frame that a client may send. A larger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** Returns the response to an upgrade that reaches no route. */
  readonly refusal: (error: RequestError) => string
}

/**
 * Routes upgrades like all other requests. Call it before hooks and routes are added: one of its hooks sets
 * `request.ws`, and it reads `wsHandler` when a route is added.
 */
export async function acceptWebSockets(
  http: FastifyInstance,
  { maxFrameBytes, refusal }: UpgradeOptions,
): Promise<void> {
  // The plugin listens here, because the server also emits `upgrade` for pipelined requests that have to wait.
  const upgrades = new EventEmitter()
  await http.register(websocket, {
    options: { ...webSocketSettings(maxFrameBytes), server: upgrades } as unknown as Settings,
    // The hub closes the sockets, each with a reason.
    preClose: (done) => done(),
  })
  http.websocketServer.on('wsClientError', (_error, socket) =>
    refuseUpgrade(socket, refusal(new RequestError('UNREADABLE'))),
  )
  http.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isWaiting(request)) return
    if (head.length > 0) heads.set(request, head)
    const isHeard = upgrades.emit('upgrade', request, socket, NOTHING)
    // The plugin stops listening when the server starts to close.
    if (!isHeard) refuseUpgrade(socket, refusal(new RequestError('STOPPING')))
  })
}

const NOTHING = Buffer.alloc(0)
/** The bytes that arrived with a handshake, until its route accepts it. */
const heads = new WeakMap<IncomingMessage, Buffer>()

/** Destroys every WebSocket that is still open, without a close frame. */
export function terminateWebSockets(http: FastifyInstance): void {
  http.websocketServer.clients.forEach((client) => client.terminate())
}

export interface WebSocketRoute {
  readonly url: string
  /** Without the 101 and the 426, which every such route has. */
  readonly schema: FastifySchema & { readonly response: object }
  /** Runs for requests that are not upgrades, before they are answered with 426. */
  readonly onRequest?: onRequestAsyncHookHandler
  /** Throws, or rejects with, the reason to refuse an upgrade. Runs after the hooks of all requests. */
  readonly admit: (request: FastifyRequest) => void | Promise<void>
  /** Called for each accepted upgrade. Has to call `open` with a sink before it returns. */
  readonly serve: (request: FastifyRequest, open: (sink: FrameSocket) => void) => void
}

const OPEN = z.null().meta({ description: 'The WebSocket is open.' })
const NOT_AN_UPGRADE = errorAnswer('UPGRADE_REQUIRED', 'The request is not a WebSocket upgrade.')

/** Adds a route for WebSockets. Other requests to it are answered with 426. */
export function addWebSocketRoute(
  http: FastifyInstance,
  { url, schema, onRequest, admit, serve }: WebSocketRoute,
): void {
  http.route({
    method: 'GET',
    url,
    schema: { ...schema, response: { 101: OPEN, ...schema.response, 426: NOT_AN_UPGRADE } },
    config: { acceptsWebSocket: true },
    ...(onRequest && {
      async onRequest(request, reply) {
        if (!request.ws) await onRequest.call(this, request, reply)
      },
    }),
    preHandler(request, reply, done) {
      if (!request.ws) return done()
      const handOver = (): void => {
        // The server may have begun to stop while `admit` waited. Nothing would close a WebSocket that opens now.
        if (http.isStopping) return done(new RequestError('STOPPING'))
        // Otherwise Fastify's response keeps the request and the reply in memory as long as the socket lives.
        reply.raw.detachSocket(request.raw.socket)
        // Not before: while `admit` waits, nobody listens to what a paced socket brings, and it would be lost.
        readFrames(request.raw.socket, heads.get(request.raw) ?? NOTHING)
        heads.delete(request.raw)
        done()
      }
      const admitted = admit(request)
      if (admitted instanceof Promise) admitted.then(handOver, done)
      else handOver()
    },
    handler(_request, reply) {
      void reply.header('upgrade', 'websocket')
      throw new RequestError('UPGRADE_REQUIRED')
    },
    wsHandler(webSocket, request) {
      // The plugin's listener keeps the request and the reply in memory. The sink adds its own listener.
      webSocket.removeAllListeners('error')
      serve(request, (sink) => sink.open(webSocket as ClientSocket, request.raw.socket))
    },
  })
}

/** WebSockets as requests to routes: hooks, checks of the query and error answers are those of every request. */
import { EventEmitter } from 'node:events'
import websocket from '@fastify/websocket'
import { isWaiting } from '../net/pipelines.ts'
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
  /** Largest frame that a client may send; a larger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** The bytes that refuse a handshake outside of any route. */
  readonly refusal: (error: RequestError) => string
}

/**
 * Routes upgrades like all other requests. Register it before any hook and any route: `request.ws` is set by a hook, and
 * `wsHandler` is read as routes are added.
 */
export async function acceptWebSockets(
  http: FastifyInstance,
  { maxFrameBytes, refusal }: UpgradeOptions,
): Promise<void> {
  // The plugin listens here instead of at the server, where requests that wait for a pipeline are upgrades too.
  const upgrades = new EventEmitter()
  await http.register(websocket, {
    options: { ...webSocketSettings(maxFrameBytes), server: upgrades } as unknown as Settings,
    // The hub closes its sockets itself, each with a reason.
    preClose: (done) => done(),
  })
  http.websocketServer.on('wsClientError', (_error, socket) =>
    refuseUpgrade(socket, refusal(new RequestError('UNREADABLE'))),
  )
  http.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isWaiting(request)) return
    const isHeard = upgrades.emit('upgrade', request, socket, readFrames(socket, head))
    // The plugin stops listening when the server begins to close.
    if (!isHeard) refuseUpgrade(socket, refusal(new RequestError('STOPPING')))
  })
}

/** Terminates every WebSocket that is still open, without a close frame. */
export function terminateWebSockets(http: FastifyInstance): void {
  http.websocketServer.clients.forEach((client) => client.terminate())
}

export interface WebSocketRoute {
  readonly url: string
  readonly schema: FastifySchema
  /** Runs before requests that are no upgrade are answered with 426. */
  readonly onRequest?: onRequestAsyncHookHandler
  /** Throws, or rejects with, why an upgrade is refused. Runs after the hooks of all requests. */
  readonly admit: (request: FastifyRequest) => void | Promise<void>
  /** Called with the WebSocket of each upgrade, on which it has to open a sink before it returns. */
  readonly serve: (request: FastifyRequest, open: (sink: FrameSocket) => void) => void
}

/** Adds a route for WebSockets. Other requests to it are answered with 426. */
export function addWebSocketRoute(
  http: FastifyInstance,
  { url, schema, onRequest, admit, serve }: WebSocketRoute,
): void {
  http.route({
    method: 'GET',
    url,
    schema,
    config: { acceptsWebSocket: true },
    ...(onRequest && {
      async onRequest(request, reply) {
        if (!request.ws) await onRequest.call(this, request, reply)
      },
    }),
    preHandler(request, reply, done) {
      if (!request.ws) return done()
      const handOver = (): void => {
        // The response that Fastify made would keep the request and the reply alive as long as the socket.
        reply.raw.detachSocket(request.raw.socket)
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
      // The plugin's listener refers to the request and the reply. The sink has one of its own.
      webSocket.removeAllListeners('error')
      serve(request, (sink) => sink.open(webSocket as ClientSocket, request.raw.socket))
    },
  })
}

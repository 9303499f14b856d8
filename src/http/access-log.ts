/** The access log: one line for each answered request, and for each closed WebSocket. */
import { forwardedView } from './forwarding.ts'
import type { ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../lib/clock.ts'
import type { ForwardingRules } from './forwarding.ts'

export interface AccessLogDeps {
  readonly clock: Pick<Clock, 'now'>
  readonly logger: FastifyBaseLogger
  readonly forwarding: ForwardingRules
}

/**
 * What a line has. The path and the query are left out, because they may contain signatures, `conn_id`s and names: the
 * route stands for them.
 */
interface Access {
  readonly method: string
  /** The pattern of the route. Undefined if there is no route for the path. */
  readonly route: string | undefined
  /** Of the client, also behind a proxy. */
  readonly address: string
}

/** Writes the access log. Call it before the hooks that refuse requests, so that these are logged as well. */
export function logAccess(http: FastifyInstance, deps: AccessLogDeps): void {
  const { clock, logger, forwarding } = deps
  http.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    // A socket that is closed has no address any more.
    const { address } = forwardedView(request.raw, forwarding)
    const route = request.is404 ? undefined : request.routeOptions.url
    const access: Access = { method: request.method, route, address }
    const begun = clock.now()
    const write = (status: number, bytes: number, what: string): void => {
      const ms = Math.round((clock.now() - begun) * 10) / 10
      logger.info({ ...access, status, ms, bytes }, what)
    }
    if (request.ws) onSocketClosed(request, reply, write)
    else onAnswered(access, reply.raw, write)
    done()
  })
}

type Write = (status: number, bytes: number, what: string) => void

function onAnswered({ method }: Access, response: ServerResponse, write: Write): void {
  const counted = countBody(response)
  // Event streams and slow answers may end with their socket, before they are complete.
  response.once('close', () => {
    if (response.headersSent)
      write(response.statusCode, method === 'HEAD' ? 0 : counted.bytes, 'request')
  })
}

const SWITCHING_PROTOCOLS = 101

/** Keeps neither the request nor the response in memory while the WebSocket is open. */
function onSocketClosed({ raw }: FastifyRequest, reply: FastifyReply, write: Write): void {
  const { socket } = raw
  const before = socket.bytesWritten
  const handshake: { refusal?: number } = {}
  const response = reply.raw
  response.once('finish', () => (handshake.refusal = response.statusCode))
  socket.once('close', () => {
    const bytes = socket.bytesWritten - before
    // The client was gone before it had an answer.
    if (bytes === 0) return
    if (handshake.refusal !== undefined) write(handshake.refusal, bytes, 'request')
    else write(SWITCHING_PROTOCOLS, bytes, 'WebSocket')
  })
}

/** Counts the bytes of the body that are written to a response. */
function countBody(response: ServerResponse): { readonly bytes: number } {
  const counted = { bytes: 0 }
  const count = (chunk: unknown, encoding: unknown): void => {
    if (chunk instanceof Uint8Array) counted.bytes += chunk.byteLength
    if (typeof chunk !== 'string') return
    const named = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
    counted.bytes += Buffer.byteLength(chunk, named)
  }
  for (const name of ['write', 'end'] as const) {
    const original = response[name].bind(response) as (...args: unknown[]) => never
    response[name] = (...args: unknown[]): never => {
      count(args[0], args[1])
      return original(...args)
    }
  }
  return counted
}

import { RequestError } from '../protocol/errors.ts'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Refusal } from '../net/refusals.ts'
import type { SocketLimits } from '../net/socket-limits.ts'

const refused = (reason: Refusal): RequestError =>
  new RequestError(reason === 'address' ? 'TOO_MANY_SOCKETS' : 'SERVER_FULL')

/**
 * Counts requests that a trusted proxy passes on by the addresses of its clients, until they are answered. Throws
 * `TOO_MANY_SOCKETS` (429). Signed requests are not counted.
 *
 * To be called once it is known who calls. Without a limit it costs nothing.
 */
export function countPassedOn(http: FastifyInstance, limits: SocketLimits): void {
  if (!limits.countsClients) return
  http.addHook('onRequest', (request, reply, done) => {
    const { isBackend, view } = request.caller
    const reason = isBackend ? undefined : limits.enter(request.raw, view.address, reply.raw)
    if (reason !== undefined) throw refused(reason)
    done()
  })
}

/** The same for a WebSocket, until it is closed. Throws `SERVER_FULL` (503) as well. */
export function countWebSocket(
  limits: SocketLimits,
  request: IncomingMessage,
  address: string,
): void {
  const reason = limits.enter(request, address)
  if (reason !== undefined) throw refused(reason)
}

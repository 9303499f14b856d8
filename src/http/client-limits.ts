import { RequestError } from '../protocol/errors.ts'
import type { FastifyInstance } from 'fastify'
import type { Refusal } from '../net/refusals.ts'
import type { SocketLimits } from '../net/socket-limits.ts'

const refused = (reason: Refusal): RequestError =>
  new RequestError(reason === 'address' ? 'TOO_MANY_SOCKETS' : 'SERVER_FULL')

/**
 * Counts requests that a trusted proxy passes on by the addresses of its clients: WebSockets until they are closed,
 * others until they are answered. Throws `TOO_MANY_SOCKETS` (429) and `SERVER_FULL` (503). Does not count signed
 * requests.
 *
 * Call it after the hook that identifies callers.
 */
export function limitClients(http: FastifyInstance, limits: SocketLimits): void {
  http.addHook('onRequest', ({ caller, ws, raw }, reply, done) => {
    if (!limits.countsClients) return done()
    const { isBackend, view } = caller
    const reason = isBackend
      ? undefined
      : limits.enter(raw, view.address, ws ? undefined : reply.raw)
    if (reason !== undefined) throw refused(reason)
    done()
  })
}

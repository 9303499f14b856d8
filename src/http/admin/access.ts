/**
 * Requests of the admin panel. A signed-in administrator has the rights of the backend, in requests of the panel only.
 */
import { RequestError } from '../../protocol/errors.ts'
import { isCrossSite } from './csrf.ts'
import type { IncomingMessage } from 'node:http'
import type { onRequestAsyncHookHandler } from 'fastify'
import type { Awaitable } from '../../store/store.ts'
import type { AdminSessions } from './session.ts'

/**
 * The header of each request of the panel. Pages of other sites cannot send it: browsers send a CORS preflight first,
 * and its response never allows this header. The cookie alone, which browsers add to every request, gives no rights.
 */
export const PANEL_HEADER = 'x-channelstream-admin'

export const isPanelCall = (
  sessions: AdminSessions,
  request: IncomingMessage,
): Awaitable<boolean> =>
  request.headers[PANEL_HEADER] === '1' && !isCrossSite(request) && sessions.isSignedIn(request)

/** Throws `FORBIDDEN` (403) unless the request is from a page of this server in a signed-in browser. */
export async function admitLive(sessions: AdminSessions, request: IncomingMessage): Promise<void> {
  // Browsers send cookies with WebSockets from pages of any site, without a preflight.
  const isOwnPage = request.headers.origin !== undefined && !isCrossSite(request)
  if (!isOwnPage || !(await sessions.isSignedIn(request))) throw new RequestError('FORBIDDEN')
}

/**
 * Allows signed requests and signed-in browsers. Throws `FORBIDDEN` (403) for others instead of redirecting to the
 * form.
 */
export const allowAdmin =
  (sessions: AdminSessions): onRequestAsyncHookHandler =>
  async (request) => {
    if (!request.caller.isBackend && !(await sessions.isSignedIn(request.raw)))
      throw new RequestError('FORBIDDEN')
  }

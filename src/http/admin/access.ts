/** Calls of the admin panel: who is signed in counts as the backend, for the panel's own requests only. */
import { RequestError } from '../../protocol/errors.ts'
import { isCrossSite } from './csrf.ts'
import type { IncomingMessage } from 'node:http'
import type { onRequestAsyncHookHandler } from 'fastify'
import type { Awaitable } from '../../store/store.ts'
import type { AdminSessions } from './session.ts'

/**
 * What the panel sends with each call. Other sites’ pages cannot: browsers ask first (a CORS preflight), and the answer
 * never allows this header. So a cookie that a browser adds by itself is not enough to do anything.
 */
export const PANEL_HEADER = 'x-channelstream-admin'

export const isPanelCall = (
  sessions: AdminSessions,
  request: IncomingMessage,
): Awaitable<boolean> =>
  request.headers[PANEL_HEADER] === '1' && !isCrossSite(request) && sessions.isSignedIn(request)

/** Throws `FORBIDDEN` (403) unless the request comes from a page of this server, in the browser of somebody signed in. */
export async function admitLive(sessions: AdminSessions, request: IncomingMessage): Promise<void> {
  // Cookies go along with WebSockets of every site, and no preflight asks.
  const isOwnPage = request.headers.origin !== undefined && !isCrossSite(request)
  if (!isOwnPage || !(await sessions.isSignedIn(request))) throw new RequestError('FORBIDDEN')
}

/** Lets through who is signed in or signs the request; others get 403, for programs that read the answer. */
export const allowAdmin =
  (sessions: AdminSessions): onRequestAsyncHookHandler =>
  async (request) => {
    if (!request.caller.isBackend && !(await sessions.isSignedIn(request.raw)))
      throw new RequestError('FORBIDDEN')
  }

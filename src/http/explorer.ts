/** The API explorer, for those who are signed in to admin (recorded: others get the form). */
import { onPageError, requireAdmin } from './admin/routes.ts'
import { ownLink } from './forwarding.ts'
import { servePageFiles } from './page-files.ts'
import type { FastifyInstance } from 'fastify'
import type { AdminSessions } from './admin/session.ts'

/** Made by `scripts/build-explorer.mjs`. */
const FOLDER = 'dist/frontend/explorer/'

/** Swagger UI sets styles from its script. Not `upgrade-insecure-requests`: the server itself speaks plain http. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

export interface ExplorerOptions {
  readonly sessions: AdminSessions
  /** The OpenAPI document, for a server whose paths begin with `prefix`. */
  readonly describe: (prefix: string) => object
}

export async function explorerRoutes(
  http: FastifyInstance,
  { sessions, describe }: ExplorerOptions,
): Promise<void> {
  http.setErrorHandler(onPageError)
  http.addHook('onRequest', requireAdmin(sessions))
  const hidden = { schema: { hide: true } }

  // With a slash at its end the page finds its files beside it, whatever prefix a proxy adds.
  http.get('/api-explorer', hidden, async (request, reply) =>
    reply.redirect(ownLink(request.raw, request.caller.view, '/api-explorer/')),
  )
  http.get('/api-explorer/json', hidden, async (request) => describe(request.caller.view.prefix))
  servePageFiles(http, {
    folder: FOLDER,
    prefix: '/api-explorer/',
    index: 'index.html',
    headers: {
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'referrer-policy': 'no-referrer',
    },
  })
}

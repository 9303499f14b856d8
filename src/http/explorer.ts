/** The API explorer, for those who are signed in to admin (recorded: others get the form). */
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import { PACKAGE_ROOT } from '../lib/package-root.ts'
import { onPageError, requireAdmin } from './admin/routes.ts'
import { ownLink } from './forwarding.ts'
import type { FastifyInstance } from 'fastify'
import type { AdminSessions } from './admin/session.ts'

/** Made by `scripts/build-explorer.mjs`. */
const FOLDER = fileURLToPath(new URL('dist/frontend/explorer/', PACKAGE_ROOT))

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
  await http.register(fastifyStatic, {
    root: FOLDER,
    prefix: '/api-explorer/',
    decorateReply: false,
    // Set by a hook, for every answer.
    cacheControl: false,
    setHeaders(reply) {
      reply.headers({
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'referrer-policy': 'no-referrer',
      })
    },
  })
}

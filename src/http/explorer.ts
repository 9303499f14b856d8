/** The API explorer, for those who are signed in to admin (recorded: others get the form). */
import { readFile } from 'node:fs/promises'
import { PACKAGE_ROOT } from '../lib/package-root.ts'
import { RequestError } from '../protocol/errors.ts'
import { onPageError, requireAdmin } from './admin/routes.ts'
import { ownLink } from './forwarding.ts'
import type { FastifyInstance } from 'fastify'
import type { AdminSessions } from './admin/session.ts'

/** Made by `scripts/build-explorer.mjs`. */
const FOLDER = new URL('dist/frontend/explorer/', PACKAGE_ROOT)

/** By the path below `/api-explorer/`. Read when they are asked for: few look, and memory is for clients. */
const FILES = new Map([
  ['', { name: 'index.html', type: 'text/html; charset=utf-8' }],
  ['explorer.js', { name: 'explorer.js', type: 'text/javascript; charset=utf-8' }],
  ['explorer.css', { name: 'explorer.css', type: 'text/css; charset=utf-8' }],
  ['favicon.svg', { name: 'favicon.svg', type: 'image/svg+xml' }],
  ['swagger-ui.css', { name: 'swagger-ui.css', type: 'text/css; charset=utf-8' }],
  [
    'swagger-ui-bundle.js',
    { name: 'swagger-ui-bundle.js', type: 'text/javascript; charset=utf-8' },
  ],
])

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
  const guarded = { onRequest: requireAdmin(sessions), schema: { hide: true } }

  // With a slash at its end the page finds its files beside it, whatever stands before.
  http.get('/api-explorer', guarded, async (request, reply) =>
    reply.redirect(ownLink(request.raw, request.caller.view, '/api-explorer/')),
  )
  http.get('/api-explorer/json', guarded, async (request) => describe(request.caller.view.prefix))
  http.get<{ Params: { '*': string } }>('/api-explorer/*', guarded, async (request, reply) => {
    const file = FILES.get(request.params['*'])
    if (!file) throw new RequestError('NOT_FOUND')
    return reply
      .headers({
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'referrer-policy': 'no-referrer',
      })
      .type(file.type)
      .send(await readFile(new URL(file.name, FOLDER)))
  })
}

import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { ERRORS, RequestError } from '../../protocol/errors.ts'
import { ERROR_HEADER } from '../../protocol/headers.ts'
import { AdminResponse } from '../../protocol/responses.ts'
import { StoreUnavailable } from '../../store/store.ts'
import { VERSION } from '../../version.ts'
import { onError } from '../errors.ts'
import { ownLink } from '../forwarding.ts'
import { named } from '../plugin-name.ts'
import { acceptsPages, isCrossSite, isFromBrowser } from './csrf.ts'
import { html, prefixedPath } from './html-reply.ts'
import { faultPage, notBuiltPage, signInPage, signOutPage } from './pages.ts'
import { PANEL_POLICY, panelPage, servePanelAssets } from './panel.ts'
import { pathAfterSignIn, signInPathFor } from './return-path.ts'
import { SignInThrottle } from './sign-in-throttle.ts'
import type {
  FastifyPluginAsync,
  FastifyReply,
  FastifySerializerCompiler,
  FastifyRequest,
  onRequestAsyncHookHandler,
} from 'fastify'
import type { Hub } from '../../core/hub.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AdminSessions } from './session.ts'

export interface AdminOptions {
  readonly hub: Hub
  readonly sessions: AdminSessions
  readonly clock: Clock
  /** Streams answers that contain paged lists. */
  readonly streamPagedAnswers: FastifySerializerCompiler<unknown>
}

const ADMIN_SCHEMA = {
  tags: ['Admin API'],
  summary: 'Get the state of the server',
  description:
    'Returns figures, channels and connected users. Needs a signature or a session of the admin pages.',
  security: [{ signature: [] }, { session: [] }],
  response: {
    200: AdminResponse,
    302: z.null().meta({
      description: 'The request is not signed, and nobody is signed in: to the sign-in page.',
    }),
  },
}

/** The delay after a wrong password, to slow down guessing (recorded: admin-sign-in-bad). */
const FAILURE_PAUSE_MS = 500

/**
 * Allows signed requests and users who are signed in. Redirects others to the sign-in page (recorded: admin-redirect).
 */
export const requireAdmin =
  (sessions: AdminSessions): onRequestAsyncHookHandler =>
  async (request, reply) => {
    if (request.caller.isBackend || (await sessions.isSignedIn(request.raw))) return
    return reply.redirect(ownLinkTo(request, signInPathFor(request)))
  }

export const adminRoutes: FastifyPluginAsync<AdminOptions> = async (http, options) => {
  const { hub, sessions } = options
  const onRequest = requireAdmin(sessions)
  const overview = async () => ({ ...(await hub.adminOverview()), version: VERSION })
  const hidden = { schema: { hide: true }, exposeHeadRoute: true }

  http.setErrorHandler(onPageError)
  servePanelAssets(http)
  http.get('/admin', { onRequest, ...hidden }, (_request, reply) => showPanel(reply))
  const ids = { GET: 'admin', POST: 'adminByPost' } as const
  for (const method of ['GET', 'POST'] as const)
    http.route({
      method,
      url: '/admin/admin.json',
      config: { body: 'unread', answersPages: true },
      onRequest,
      serializerCompiler: options.streamPagedAnswers,
      schema: { ...ADMIN_SCHEMA, operationId: ids[method] },
      handler: overview,
    })
  http.get('/admin/debug', { onRequest, ...hidden }, async (_request, reply) =>
    reply.type('text/plain').send(processState()),
  )

  await http.register(named(signingRoutes), options)
}

/** Sign-in and sign-out. */
const signingRoutes: FastifyPluginAsync<AdminOptions> = async (http, { sessions, clock }) => {
  const throttle = new SignInThrottle(clock)
  const hidden = { schema: { hide: true }, exposeHeadRoute: true }
  const form = { schema: { hide: true }, config: { body: 'form' } } as const

  http.get('/admin/sign_in', hidden, async (_request, reply) => html(reply, signInPage()))
  http.post('/admin/sign_in', form, async (request, reply) => {
    // A form on another site must not sign anybody in: they would be in somebody else's session without noticing.
    if (isCrossSite(request.raw)) throw new RequestError('FORBIDDEN')
    const { address } = request.caller.view
    if (throttle.isBlocked(address)) return refuseBlocked(request, reply)
    const { username = '', password = '' } = (request.body ?? {}) as Record<string, string>
    if (!sessions.accepts(username, password)) {
      throttle.failed(address)
      await wait(FAILURE_PAUSE_MS)
      return html(reply, signInPage('Wrong user name or password.'))
    }
    throttle.succeeded(address)
    return reply
      .header('set-cookie', await sessions.signIn(request.raw, cookieScope(request)))
      .redirect(ownLinkTo(request, pathAfterSignIn(request)))
  })

  const signOut = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    reply
      .header('set-cookie', await sessions.signOut(request.raw, cookieScope(request)))
      .redirect(ownLinkTo(request, '/admin/sign_in'))
  http.post('/admin/sign_out', form, async (request, reply) => {
    if (isCrossSite(request.raw)) throw new RequestError('FORBIDDEN')
    return signOut(request, reply)
  })
  http.get('/admin/sign_out', { schema: hidden.schema }, async (request, reply) => {
    // Programs are signed out, as recorded (admin-sign-in). A browser is not: any page can make it follow a link.
    if (!isFromBrowser(request.raw)) return signOut(request, reply)
    return (await sessions.isSignedIn(request.raw))
      ? html(reply, signOutPage(prefixedPath(request, '/admin/sign_out')))
      : reply.redirect(ownLinkTo(request, '/admin/sign_in'))
  })
}

/** Answers browsers with a page if the store is unavailable. Programs, and all other errors, get JSON. */
export function onPageError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (!(error instanceof StoreUnavailable) || !acceptsPages(request.raw))
    return onError(error, request, reply)
  const { status, text } = ERRORS.STORE_AWAY
  void reply.code(status).headers({ [ERROR_HEADER]: 'STORE_AWAY', 'retry-after': '1' })
  void html(reply, faultPage(text))
}

/** Answers browsers with the form and a message. Programs do not ask for HTML and get the usual error. */
function refuseBlocked(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (!acceptsPages(request.raw)) throw new RequestError('TOO_MANY_ATTEMPTS')
  void reply.code(ERRORS.TOO_MANY_ATTEMPTS.status).header(ERROR_HEADER, 'TOO_MANY_ATTEMPTS')
  return html(reply, signInPage(ERRORS.TOO_MANY_ATTEMPTS.text))
}

async function showPanel(reply: FastifyReply): Promise<FastifyReply> {
  const panel = await panelPage()
  return panel === undefined
    ? html(reply.code(503), notBuiltPage())
    : html(reply, panel, PANEL_POLICY)
}

const ownLinkTo = ({ raw, caller }: FastifyRequest, path: `/${string}`): string =>
  ownLink(raw, caller.view, path)

const cookieScope = ({ caller: { view } }: FastifyRequest) => ({
  isHttps: view.scheme === 'https',
  path: view.prefix || '/',
})

/** The state of the process, for troubleshooting. */
function processState(): string {
  const memory = Object.entries(process.memoryUsage()).map(
    ([name, bytes]) => `${name}: ${Math.round(bytes / 1024)} KiB`,
  )
  const resources = new Map<string, number>()
  for (const type of process.getActiveResourcesInfo())
    resources.set(type, (resources.get(type) ?? 0) + 1)
  const active = [...resources].map(([type, count]) => `${type}: ${count}`)
  return ['[memory]', ...memory, '', '[active resources]', ...active, ''].join('\n')
}

import { setTimeout as wait } from 'node:timers/promises'
import { Attempts } from './attempts.ts'
import { AdminResponse } from '../../protocol/responses.ts'
import { CONTENT_SECURITY_POLICY, notBuiltPage, signInPage } from './pages.ts'
import { PANEL_POLICY, panelPage, servePanelAssets } from './panel.ts'
import { ERRORS, RequestError } from '../../protocol/errors.ts'
import { ERROR_HEADER } from '../../protocol/headers.ts'
import { VERSION } from '../../version.ts'
import { isForeign } from './foreign.ts'
import { ownLink } from '../forwarding.ts'
import type { AdminSessions } from './session.ts'
import type { Clock } from '../../clock.ts'
import type {
  FastifyPluginAsync,
  FastifyReply,
  FastifySerializerCompiler,
  FastifyRequest,
  onRequestHookHandler,
} from 'fastify'
import type { Hub } from '../../core/hub.ts'

export interface AdminOptions {
  readonly hub: Hub
  readonly sessions: AdminSessions
  readonly clock: Clock
  /** Writes answers that may have long parts. */
  readonly longAnswers: FastifySerializerCompiler<unknown>
}

/** What a wrong password costs, so that guessing is slow (recorded: admin-sign-in-bad). */
const FAILURE_PAUSE_MS = 500

/** Lets through who is signed in or signs the request; sends others to the sign-in page (recorded: admin-redirect). */
export const requireAdmin =
  (sessions: AdminSessions): onRequestHookHandler =>
  (request, reply, done) => {
    if (request.caller.isBackend || sessions.isSignedIn(request.raw)) done()
    else void reply.redirect(linkTo(request, '/admin/sign_in'))
  }

export const adminRoutes: FastifyPluginAsync<AdminOptions> = async (http, options) => {
  const { hub, sessions } = options
  const attempts = new Attempts(options.clock)
  const onRequest = requireAdmin(sessions)
  const overview = async () => ({ ...(await hub.adminOverview()), version: VERSION })
  const hidden = { schema: { hide: true }, exposeHeadRoute: true }

  await servePanelAssets(http)
  http.get('/admin', { onRequest, ...hidden }, (_request, reply) => showPanel(reply))
  http.route({
    method: ['GET', 'POST'],
    url: '/admin/admin.json',
    onRequest,
    serializerCompiler: options.longAnswers,
    schema: {
      tags: ['Admin API'],
      summary: 'What is on the server',
      description:
        'Figures, channels and connected users. Signed, or with the session of the admin pages.',
      security: [{ signature: [] }],
      response: { 200: AdminResponse },
    },
    handler: overview,
  })
  http.get('/admin/debug', { onRequest, ...hidden }, async (_request, reply) =>
    reply.type('text/plain').send(processState()),
  )

  http.get('/admin/sign_in', hidden, async (request, reply) =>
    html(reply, signInPage(formAction(request))),
  )
  http.post(
    '/admin/sign_in',
    { schema: hidden.schema, config: { body: 'form' } },
    async (request, reply) => {
      // A form on another site must not sign anybody in: the page they see next would be another’s.
      if (isForeign(request.raw)) throw new RequestError('FORBIDDEN')
      const { address } = request.caller.view
      if (attempts.isBlocked(address)) return refuseForNow(request, reply)
      const { username = '', password = '' } = (request.body ?? {}) as Record<string, string>
      if (!sessions.accepts(username, password)) {
        attempts.failed(address)
        await wait(FAILURE_PAUSE_MS)
        return html(reply, signInPage(formAction(request), 'User or password is wrong.'))
      }
      return reply
        .header('set-cookie', sessions.signIn(cookiePlace(request)))
        .redirect(linkTo(request, '/admin'))
    },
  )
  http.route({
    method: ['GET', 'POST'],
    url: '/admin/sign_out',
    schema: hidden.schema,
    config: { body: 'form' },
    handler: (request, reply) =>
      reply
        .header('set-cookie', sessions.signOut(request.raw, cookiePlace(request)))
        .redirect(linkTo(request, '/admin/sign_in')),
  })
}

/** People see the form again; programs, which do not ask for a page, get the error as always. */
function refuseForNow(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (!request.headers.accept?.includes('text/html')) throw new RequestError('TOO_MANY_ATTEMPTS')
  void reply.code(ERRORS.TOO_MANY_ATTEMPTS.status).header(ERROR_HEADER, 'TOO_MANY_ATTEMPTS')
  return html(reply, signInPage(formAction(request), ERRORS.TOO_MANY_ATTEMPTS.text))
}

async function showPanel(reply: FastifyReply): Promise<FastifyReply> {
  const panel = await panelPage()
  return panel === undefined
    ? html(reply.code(503), notBuiltPage())
    : html(reply, panel, PANEL_POLICY)
}

const linkTo = ({ raw, caller }: FastifyRequest, path: `/${string}`): string =>
  ownLink(raw, caller.view, path)

const formAction = (request: FastifyRequest): string =>
  `${request.caller.view.prefix}/admin/sign_in`

const cookiePlace = ({ caller: { view } }: FastifyRequest) => ({
  isHttps: view.scheme === 'https',
  path: view.prefix || '/',
})

function html(reply: FastifyReply, page: string, policy = CONTENT_SECURITY_POLICY): FastifyReply {
  return reply
    .header('content-security-policy', policy)
    .header('referrer-policy', 'no-referrer')
    .type('text/html; charset=utf-8')
    .send(page)
}

/** The state of the process, for people who look for a fault. */
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

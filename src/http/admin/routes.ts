import { setTimeout as wait } from 'node:timers/promises'
import { ERRORS, RequestError } from '../../protocol/errors.ts'
import { ERROR_HEADER } from '../../protocol/headers.ts'
import { AdminResponse } from '../../protocol/responses.ts'
import { StoreUnavailable } from '../../store/store.ts'
import { VERSION } from '../../version.ts'
import { onError } from '../errors.ts'
import { ownLink } from '../forwarding.ts'
import { named } from '../plugin-name.ts'
import { acceptsPages, isCrossSite, isFromBrowser } from './csrf.ts'
import {
  CONTENT_SECURITY_POLICY,
  faultPage,
  notBuiltPage,
  signInPage,
  signOutPage,
} from './pages.ts'
import { PANEL_POLICY, panelPage, servePanelAssets } from './panel.ts'
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
  /** Writes answers that may have long parts. */
  readonly streamPagedAnswers: FastifySerializerCompiler<unknown>
}

/** What a wrong password costs, so that guessing is slow (recorded: admin-sign-in-bad). */
const FAILURE_PAUSE_MS = 500

/** Lets through who is signed in or signs the request; sends others to the sign-in page (recorded: admin-redirect). */
export const requireAdmin =
  (sessions: AdminSessions): onRequestAsyncHookHandler =>
  async (request, reply) => {
    if (request.caller.isBackend || (await sessions.isSignedIn(request.raw))) return
    return reply.redirect(linkTo(request, '/admin/sign_in'))
  }

export const adminRoutes: FastifyPluginAsync<AdminOptions> = async (http, options) => {
  const { hub, sessions } = options
  const onRequest = requireAdmin(sessions)
  const overview = async () => ({ ...(await hub.adminOverview()), version: VERSION })
  const hidden = { schema: { hide: true }, exposeHeadRoute: true }

  http.setErrorHandler(onPageError)
  await servePanelAssets(http)
  http.get('/admin', { onRequest, ...hidden }, (_request, reply) => showPanel(reply))
  http.route({
    method: ['GET', 'POST'],
    url: '/admin/admin.json',
    config: { body: 'unread' },
    onRequest,
    serializerCompiler: options.streamPagedAnswers,
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

  await http.register(named(signingRoutes), options)
}

/** Signing in and out. */
const signingRoutes: FastifyPluginAsync<AdminOptions> = async (http, { sessions, clock }) => {
  const throttle = new SignInThrottle(clock)
  const hidden = { schema: { hide: true }, exposeHeadRoute: true }
  const form = { schema: { hide: true }, config: { body: 'form' } } as const

  http.get('/admin/sign_in', hidden, async (request, reply) =>
    html(reply, signInPage(pathTo(request, '/admin/sign_in'))),
  )
  http.post('/admin/sign_in', form, async (request, reply) => {
    // A form on another site must not sign anybody in: the page they see next would be another’s.
    if (isCrossSite(request.raw)) throw new RequestError('FORBIDDEN')
    const { address } = request.caller.view
    if (throttle.isBlocked(address)) return refuseForNow(request, reply)
    const { username = '', password = '' } = (request.body ?? {}) as Record<string, string>
    if (!sessions.accepts(username, password)) {
      throttle.failed(address)
      await wait(FAILURE_PAUSE_MS)
      const page = signInPage(pathTo(request, '/admin/sign_in'), 'User or password is wrong.')
      return html(reply, page)
    }
    throttle.succeeded(address)
    return reply
      .header('set-cookie', await sessions.signIn(request.raw, cookiePlace(request)))
      .redirect(linkTo(request, '/admin'))
  })

  const signOut = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    reply
      .header('set-cookie', await sessions.signOut(request.raw, cookiePlace(request)))
      .redirect(linkTo(request, '/admin/sign_in'))
  http.post('/admin/sign_out', form, async (request, reply) => {
    if (isCrossSite(request.raw)) throw new RequestError('FORBIDDEN')
    return signOut(request, reply)
  })
  http.get('/admin/sign_out', { schema: hidden.schema }, async (request, reply) => {
    // Programs are signed out, as recorded (admin-sign-in). In a browser any page can have a link followed.
    if (!isFromBrowser(request.raw)) return signOut(request, reply)
    return (await sessions.isSignedIn(request.raw))
      ? html(reply, signOutPage(pathTo(request, '/admin/sign_out')))
      : reply.redirect(linkTo(request, '/admin/sign_in'))
  })
}

/** Tells people in a page that the store cannot be reached; other errors, and programs, get JSON. */
export function onPageError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (!(error instanceof StoreUnavailable) || !acceptsPages(request.raw))
    return onError(error, request, reply)
  const { status, text } = ERRORS.STORE_AWAY
  void reply.code(status).headers({ [ERROR_HEADER]: 'STORE_AWAY', 'retry-after': '1' })
  void html(reply, faultPage(text))
}

/** People see the form again; programs, which do not ask for a page, get the error as always. */
function refuseForNow(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (!acceptsPages(request.raw)) throw new RequestError('TOO_MANY_ATTEMPTS')
  void reply.code(ERRORS.TOO_MANY_ATTEMPTS.status).header(ERROR_HEADER, 'TOO_MANY_ATTEMPTS')
  return html(reply, signInPage(pathTo(request, '/admin/sign_in'), ERRORS.TOO_MANY_ATTEMPTS.text))
}

async function showPanel(reply: FastifyReply): Promise<FastifyReply> {
  const panel = await panelPage()
  return panel === undefined
    ? html(reply.code(503), notBuiltPage())
    : html(reply, panel, PANEL_POLICY)
}

const linkTo = ({ raw, caller }: FastifyRequest, path: `/${string}`): string =>
  ownLink(raw, caller.view, path)

/** For forms: the policy of the page lets them go to its own origin only. */
const pathTo = ({ caller }: FastifyRequest, path: `/${string}`): string => caller.view.prefix + path

const cookiePlace = ({ caller: { view } }: FastifyRequest) => ({
  isHttps: view.scheme === 'https',
  path: view.prefix || '/',
})

/**
 * Not `no-referrer`: browsers then name no `Origin` with a form, and where they send no `Sec-Fetch-Site` either, over plain
 * http, this server's own forms could not be told from those of another site.
 */
const REFERRER_POLICY = 'same-origin'

function html(reply: FastifyReply, page: string, policy = CONTENT_SECURITY_POLICY): FastifyReply {
  return reply
    .header('content-security-policy', policy)
    .header('referrer-policy', REFERRER_POLICY)
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

import { RequestError } from '../protocol/errors.ts'
import { StoreUnavailable } from '../store/store.ts'
import { acceptsPages } from './admin/csrf.ts'
import { html, prefixedPath } from './admin/html-reply.ts'
import { homePage } from './admin/pages.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { Hub } from '../core/hub.ts'

/** Where `GET /` leads. */
const LINKS = [
  {
    name: 'admin',
    path: '/admin',
    title: 'Admin panel',
    about: 'What the server does: users, channels, messages',
  },
  {
    name: 'api_explorer',
    path: '/api-explorer',
    title: 'API explorer',
    about: 'Every request, to read and to try',
  },
  {
    name: 'client',
    path: '/client/channelstream.js',
    title: 'Client for pages',
    about: 'The script that browsers listen with',
  },
] as const

export interface HomeOptions {
  readonly hub: Pick<Hub, 'figures'>
}

/**
 * `GET /` says what this server is, whether it works, and where to go: a page for browsers, JSON for programs. A request
 * without `Accept` gets 404 (recorded: http-not-found).
 */
export const homeRoute: FastifyPluginAsync<HomeOptions> = async (http, { hub }) => {
  http.get('/', { schema: { hide: true }, exposeHeadRoute: true }, async (request, reply) => {
    if (request.headers.accept === undefined) throw new RequestError('NOT_FOUND')
    const isUp = await isStoreUp(hub)
    if (acceptsPages(request.raw)) {
      const links = LINKS.map((link) => ({ ...link, href: prefixedPath(request, link.path) }))
      return html(reply, homePage(isUp, links))
    }
    return {
      name: 'channelstream',
      status: isUp ? 'ok' : 'unavailable',
      ...Object.fromEntries(LINKS.map(({ name, path }) => [name, prefixedPath(request, path)])),
    }
  })
}

async function isStoreUp(hub: HomeOptions['hub']): Promise<boolean> {
  try {
    await hub.figures()
    return true
  } catch (error) {
    if (error instanceof StoreUnavailable) return false
    throw error
  }
}

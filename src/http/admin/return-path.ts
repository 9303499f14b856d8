/** Where a browser goes after signing in: to the page that it wanted. */
import { pathOf, queryOf } from '../../lib/urls.ts'
import { acceptsPages } from './csrf.ts'
import type { FastifyRequest } from 'fastify'

const SIGN_IN = '/admin/sign_in'
const HOME = '/admin'
const PARAMETER = 'next'
/** Only these: a link to the sign-in page must not lead elsewhere afterwards. */
const PAGES: ReadonlySet<string> = new Set([
  HOME,
  '/admin/admin.json',
  '/admin/debug',
  '/api-explorer',
  '/api-explorer/',
])

const isPage = (path: string): path is `/${string}` => PAGES.has(path)

/** Programs get the path alone, as recorded (admin-redirect). */
export function signInPathFor({ raw, url }: FastifyRequest): `/${string}` {
  const path = pathOf(url)
  if (path === HOME || !isPage(path) || !acceptsPages(raw)) return SIGN_IN
  return `${SIGN_IN}?${PARAMETER}=${encodeURIComponent(path)}`
}

/** Reads the query of the sign-in page. */
export function pathAfterSignIn({ url }: FastifyRequest): `/${string}` {
  const path = queryOf(url).get(PARAMETER) ?? HOME
  return isPage(path) ? path : HOME
}

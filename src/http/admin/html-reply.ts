import { CONTENT_SECURITY_POLICY } from './pages.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Not `no-referrer`: browsers would then send no usable `Origin` with a form. Over plain http they may not send
 * `Sec-Fetch-Site` either, and forms of this server would look like forms of other sites.
 */
const REFERRER_POLICY = 'same-origin'

export function html(
  reply: FastifyReply,
  page: string,
  policy = CONTENT_SECURITY_POLICY,
): FastifyReply {
  return reply
    .header('content-security-policy', policy)
    .header('referrer-policy', REFERRER_POLICY)
    .type('text/html; charset=utf-8')
    .send(page)
}

/** Returns a path as the browser sees it, for links and forms of this server. */
export const prefixedPath = ({ caller }: FastifyRequest, path: `/${string}`): string =>
  caller.view.prefix + path

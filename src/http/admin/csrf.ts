import type { IncomingMessage } from 'node:http'

/**
 * Returns whether a page of another site made the request. Browsers say so in `Sec-Fetch-Site`, which pages cannot
 * change. Over plain http they may not send it. Then `Origin`, if there is one, must match `Host`.
 */
export function isCrossSite({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return headers.origin !== undefined && hostOf(headers.origin) !== headers.host
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined

/**
 * Returns whether a browser made the request. Every browser sends several of these headers with each request, and pages
 * cannot suppress them. A program that sends one of them is treated as a browser.
 */
export const isFromBrowser = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  BROWSER_HEADERS.some((name) => headers[name] !== undefined) ||
  /^(?:mozilla|opera)\//i.test(headers['user-agent'] ?? '') ||
  acceptsPages({ headers })

const BROWSER_HEADERS = [
  'accept-language',
  'origin',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'upgrade-insecure-requests',
]

/** Returns whether a person will see the answer: browsers ask for `text/html`, programs do not. */
export const acceptsPages = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.accept?.includes('text/html') === true

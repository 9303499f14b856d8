import type { IncomingMessage } from 'node:http'

/**
 * Whether a request was made by a page of another site. Browsers say so themselves in `Sec-Fetch-Site`, which no page can
 * change; where they do not, over plain http, `Origin` has to name the host that was asked.
 */
export function isCrossSite({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return headers.origin !== undefined && hostOf(headers.origin) !== headers.host
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined

/**
 * Whether a browser made the request. Each of them sends several of these headers with whatever it asks for, and no page can
 * keep it from doing so. A program that sends one is taken for a browser.
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

/** Whether somebody looks at the answer: browsers ask for pages by this type, and programs do not. */
export const acceptsPages = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers.accept?.includes('text/html') === true

import type { IncomingMessage } from 'node:http'

/**
 * Whether a request was made by a page of another site. Browsers say so themselves in `Sec-Fetch-Site`, which no page can
 * change; where they do not, over plain http, `Origin` has to name the host that was asked.
 */
export function isForeign({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return headers.origin !== undefined && hostOf(headers.origin) !== headers.host
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined

import { createHash } from 'node:crypto'

/** A url of `webhook_url`. */
export interface Endpoint {
  /** The same on all servers. Does not contain the url, which may be secret. */
  readonly id: string
  readonly origin: string
  /** With the query. */
  readonly target: string
  /** Without the query: this is signed. */
  readonly path: string
  /** For the log and the admin panel: without user, password and query, which may be secret. */
  readonly shown: string
  /** The value of the header Authorization, for a url with a user. */
  readonly authorization: string | undefined
}

export function endpointOf(url: string): Endpoint {
  const { origin, pathname, search, username, password } = new URL(url)
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    id: createHash('sha256').update(url).digest('hex').slice(0, 16),
    origin,
    target: pathname + search,
    path: pathname,
    shown: origin + pathname,
    authorization:
      credentials === ':' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
  }
}

/** Urls that differ only in what is not shown get a number. */
export function endpointsOf(urls: readonly string[]): Endpoint[] {
  const counts = new Map<string, number>()
  return urls.map(endpointOf).map((endpoint) => {
    const count = (counts.get(endpoint.shown) ?? 0) + 1
    counts.set(endpoint.shown, count)
    return count === 1 ? endpoint : { ...endpoint, shown: `${endpoint.shown} (${count})` }
  })
}

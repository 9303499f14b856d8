/** Which web pages may use the server: the rules of `allow_cors`. */
import { parseOrigin, parseOriginEntry } from '../lib/web-origin.ts'
import type { WebOrigin } from '../lib/web-origin.ts'

/**
 * The CORS headers that every answer has, whatever its origin, in addition to `access-control-allow-origin` (recorded:
 * cors-default, cors-restricted).
 */
export const FIXED_CORS_HEADERS = Object.freeze({
  'access-control-allow-methods': 'GET, POST, OPTIONS, PUT, DELETE, PATCH',
  'access-control-allow-headers':
    'Content-Type, Depth, User-Agent, X-File-Size, X-Requested-With, If-Modified-Since, X-File-Name, ' +
    'Cache-Control, Pragma, Origin, Connection, Referer, Cookie',
  'access-control-max-age': '86400',
  xdomainrequestallowed: '1',
})

const EVERY_ORIGIN = '*'

/**
 * The origins that `allow_cors` names. An entry is one of
 *
 * - a host, `example.com`: the host and its subdomains, with any scheme and port;
 * - a host and port, `example.com:8080`: the same, on that port only. A scheme's default port counts as its port;
 * - an origin, `https://app.example.com` or `app://.`: exactly that scheme, host and port, without subdomains;
 * - `file://`: local files in Electron, Cordova and WebViews, if these let files read each other. Others send `null`;
 * - `null`: pages without an origin, such as local files in a browser, but also a sandboxed frame of any website;
 * - `*`: every origin.
 *
 * Case is ignored, and names may be written in Unicode. Empty entries are ignored, and without entries every origin is
 * allowed. The constructor throws an `Error` that names the first invalid entry.
 *
 * Names are compared label by label. Channelstream looked for the entry anywhere in the origin and accepted
 * `example.com.evil.net` (deviation: dev-cors-substring).
 */
export class OriginRules {
  #rules: readonly Rule[] = []

  constructor(entries: readonly string[]) {
    this.replace(entries)
  }

  /** Replaces all entries. Throws like the constructor. */
  replace(entries: readonly string[]): void {
    const given = entries.map((entry) => entry.trim()).filter((entry) => entry !== '')
    this.#rules = given.length === 0 ? [parseRule(EVERY_ORIGIN)] : given.map(parseRule)
  }

  /**
   * Returns the value of `access-control-allow-origin` for a request with this `Origin`, or `undefined` for no header.
   * A request without `Origin` gets the header only if every origin is allowed (recorded: cors-restricted). The value
   * is never the name of an origin, so credentials are never allowed.
   */
  allowHeader(origin: string | undefined): '*' | undefined {
    return this.#allows(origin) ? '*' : undefined
  }

  /**
   * Returns whether the request comes from a web page that may not use the server. `/ws` needs this because browsers do
   * not check CORS headers there, and `/listen` because JSONP works without them. Programs other than browsers send no
   * `Origin` and are not refused.
   */
  refuses(origin: string | undefined): boolean {
    return origin !== undefined && !this.#allows(origin)
  }

  #allows(origin: string | undefined): boolean {
    const parsed = origin === undefined ? undefined : parseOrigin(origin)
    return this.#rules.some((matches) => matches(parsed))
  }
}

/** The argument is `undefined` for a missing or malformed origin. */
type Rule = (origin: WebOrigin | undefined) => boolean

function parseRule(entry: string): Rule {
  if (entry === EVERY_ORIGIN) return () => true
  const wanted = parseOriginEntry(entry)
  if (!wanted)
    throw new Error(`'${entry}' is not a host, host:port or origin such as https://example.com`)
  return wanted.isWhole ? (origin) => isSame(origin, wanted) : (origin) => isWithin(origin, wanted)
}

function isSame(origin: WebOrigin | undefined, wanted: WebOrigin): boolean {
  return (
    origin?.protocol === wanted.protocol &&
    origin.host === wanted.host &&
    origin.port === wanted.port
  )
}

function isWithin(origin: WebOrigin | undefined, { host, port }: WebOrigin): boolean {
  if (!origin || (port !== '' && origin.port !== port)) return false
  return origin.host === host || origin.host.endsWith(`.${host}`)
}

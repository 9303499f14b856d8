/** Which web pages may use the server: the rules of `allow_cors`. */
import { isIPv6 } from 'node:net'

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
/** What browsers send for sandboxed frames, local files and the like. */
const OPAQUE_ORIGIN = 'null'
const MAX_ORIGIN_CHARACTERS = 512
const ORIGIN_FORM = /^([a-z][a-z\d+.-]*):\/\/([^\s\p{Cc}/?#@\\%]*[^\s\p{Cc}/?#@\\%:])$/iu
const HOST_FORM = /^(?:\[[\da-f:.]+\]|[a-z\d_-]+(?:\.[a-z\d_-]+)*)$/
const DEFAULT_PORTS = new Map([
  ['http', '80'],
  ['https', '443'],
])

/**
 * The origins that `allow_cors` names. An entry is one of
 *
 * - a host, `example.com`: the host and its subdomains, with any scheme and port;
 * - a host and port, `example.com:8080`: the same, on that port only. A scheme's default port counts as its port;
 * - an origin, `https://app.example.com`: exactly that scheme, host and port, without subdomains;
 * - `null`: pages without an origin, such as sandboxed frames;
 * - `*`: every origin.
 *
 * Case is ignored, and names may be written in Unicode. Empty entries are ignored, and without entries every origin is
 * allowed. The constructor throws an `Error` that names the first invalid entry.
 *
 * Names are compared label by label. Channelstream looked for the entry anywhere in the origin and accepted
 * `example.com.evil.net` (deviation: dev-cors-substring).
 */
export class OriginRules {
  readonly #rules: readonly Rule[]

  constructor(entries: readonly string[]) {
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

interface Origin {
  /** In lower case and without the colon; `null` for {@link OPAQUE_ORIGIN}. */
  readonly protocol: string
  readonly host: string
  /** The effective port, also if it is the scheme's default; empty if unknown. */
  readonly port: string
}

/** The argument is `undefined` for a missing or malformed origin. */
type Rule = (origin: Origin | undefined) => boolean

function parseRule(entry: string): Rule {
  if (entry === EVERY_ORIGIN) return () => true
  const isFullOrigin = entry === OPAQUE_ORIGIN || entry.includes('://')
  const wanted = parseOrigin(isFullOrigin ? entry : `any://${isIPv6(entry) ? `[${entry}]` : entry}`)
  if (!wanted)
    throw new Error(`'${entry}' is not a host, host:port or origin such as https://example.com`)
  return isFullOrigin ? (origin) => isSame(origin, wanted) : (origin) => isWithin(origin, wanted)
}

function isSame(origin: Origin | undefined, wanted: Origin): boolean {
  return (
    origin?.protocol === wanted.protocol &&
    origin.host === wanted.host &&
    origin.port === wanted.port
  )
}

function isWithin(origin: Origin | undefined, { host, port }: Origin): boolean {
  if (!origin || (port !== '' && origin.port !== port)) return false
  return origin.host === host || origin.host.endsWith(`.${host}`)
}

/** Parses an origin as browsers write it. Returns `undefined` for anything else, including trailing dots. */
function parseOrigin(text: string): Origin | undefined {
  if (text === OPAQUE_ORIGIN) return { protocol: 'null', host: '', port: '' }
  const parts = text.length > MAX_ORIGIN_CHARACTERS ? null : ORIGIN_FORM.exec(text)
  if (!parts) return undefined
  const [, scheme = '', authority = ''] = parts
  // Parsed as http whatever the scheme is, because `URL` normalizes host names only for schemes that it knows.
  const url = `http://${authority}`
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  if (!HOST_FORM.test(host)) return undefined
  const protocol = scheme.toLowerCase()
  return { protocol, host, port: givenPort(authority) ?? DEFAULT_PORTS.get(protocol) ?? '' }
}

/** Returns the port without leading zeros. `URL` would drop the default port of http. */
function givenPort(authority: string): string | undefined {
  return /:0*(\d+)$/.exec(authority)?.[1]
}

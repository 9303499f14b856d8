/** Which web pages may use the server: the rules of `allow_cors`. */
import { isIPv6 } from 'node:net'

/**
 * The CORS headers that every answer carries, whatever its origin, beside `access-control-allow-origin`
 * (recorded: cors-default, cors-restricted).
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
 * - a host, `example.com`: it and its subdomains, by any scheme and port;
 * - a host and port, `example.com:8080`: the same on that port only, a scheme's own port included;
 * - an origin, `https://app.example.com`: that scheme, host and port, no subdomains;
 * - `null`: pages without an origin, such as sandboxed frames;
 * - `*`: every origin.
 *
 * Case does not matter, and names may be written in Unicode. Without entries every origin may; empty
 * entries count as none. The constructor throws an `Error` that names the first entry it cannot read.
 *
 * Names are compared label by label: Channelstream looked for the entry anywhere in the origin and let
 * `example.com.evil.net` in (deviation: dev-cors-substring).
 */
export class OriginRules {
  readonly #rules: readonly Rule[]

  constructor(entries: readonly string[]) {
    const given = entries.map((entry) => entry.trim()).filter((entry) => entry !== '')
    this.#rules = given.length === 0 ? [parseRule(EVERY_ORIGIN)] : given.map(parseRule)
  }

  /**
   * The value of `access-control-allow-origin` for a request with this `Origin` header, or `undefined`
   * for none, which is also what a request without `Origin` gets unless every origin may (recorded:
   * cors-restricted). It is never an origin's name, so that credentials are never allowed along.
   */
  allowHeader(origin: string | undefined): '*' | undefined {
    return this.#allows(origin) ? '*' : undefined
  }

  /**
   * Whether the request comes from a web page that may not use the server: for `/ws`, where browsers do
   * not look at CORS headers, and `/listen`, which JSONP reads without them. Programs that are no
   * browsers send no `Origin` and are not refused.
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
  /** Without its colon, in small letters; `null` for {@link OPAQUE_ORIGIN}. */
  readonly protocol: string
  readonly host: string
  /** The one in use, also if it is the scheme's own; empty if nobody knows. */
  readonly port: string
}

/** Gets `undefined` for a missing or unreadable origin. */
type Rule = (origin: Origin | undefined) => boolean

function parseRule(entry: string): Rule {
  if (entry === EVERY_ORIGIN) return () => true
  const isWhole = entry === OPAQUE_ORIGIN || entry.includes('://')
  const wanted = parseOrigin(isWhole ? entry : `any://${isIPv6(entry) ? `[${entry}]` : entry}`)
  if (!wanted)
    throw new Error(`'${entry}' is not a host, host:port or origin such as https://example.com`)
  return isWhole ? (origin) => isSame(origin, wanted) : (origin) => isWithin(origin, wanted)
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

/** Reads an origin as browsers write them; `undefined` for anything else, trailing dots included. */
function parseOrigin(text: string): Origin | undefined {
  if (text === OPAQUE_ORIGIN) return { protocol: 'null', host: '', port: '' }
  const parts = text.length > MAX_ORIGIN_CHARACTERS ? null : ORIGIN_FORM.exec(text)
  if (!parts) return undefined
  const [, scheme = '', authority = ''] = parts
  // Read as http whatever it is, because URL brings only the names of schemes it knows into one form.
  const url = `http://${authority}`
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  if (!HOST_FORM.test(host)) return undefined
  const protocol = scheme.toLowerCase()
  return { protocol, host, port: givenPort(authority) ?? DEFAULT_PORTS.get(protocol) ?? '' }
}

/** As a number without leading zeros. URL would hide http's own. */
function givenPort(authority: string): string | undefined {
  return /:0*(\d+)$/.exec(authority)?.[1]
}

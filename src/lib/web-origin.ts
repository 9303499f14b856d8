/** Origins of web pages, as browsers send them in `Origin`. */
import { isIPv6 } from 'node:net'

export interface WebOrigin {
  /** In lower case and without the colon; `null` for a page without an origin. */
  readonly protocol: string
  /** Empty for `null` and for `file://`. */
  readonly host: string
  /** The effective port, also if it is the scheme's default; empty if unknown. */
  readonly port: string
}

/** A host, perhaps with a port, whatever the scheme; or a whole origin. */
export interface OriginEntry extends WebOrigin {
  readonly isWhole: boolean
}

/** What browsers send for sandboxed frames, and for local files that may not read each other. */
const OPAQUE_ORIGIN = 'null'
/** What Electron, Cordova and WebViews send for local files that may read each other. The only origin without a host. */
const FILE_ORIGIN = 'file://'
const MAX_ORIGIN_CHARACTERS = 512
const ORIGIN_FORM = /^([a-z][a-z\d+.-]*):\/\/([^/]+)$/i
const AUTHORITY_FORM = /^[^\s\p{Cc}/?#@\\%]*[^\s\p{Cc}/?#@\\%:]$/u
const HOST_FORM = /^(?:\[[\da-f:.]+\]|[a-z\d_-]+(?:\.[a-z\d_-]+)*)$/
/** The host of `app://.`, which Electron applications use. On the web there is no such host. */
const DOT = '.'
const DEFAULT_PORTS = new Map([
  ['http', '80'],
  ['https', '443'],
])

/** Parses an origin as browsers write it. Returns `undefined` for anything else, including trailing dots. */
export function parseOrigin(text: string): WebOrigin | undefined {
  if (text.length > MAX_ORIGIN_CHARACTERS) return undefined
  if (text === OPAQUE_ORIGIN) return { protocol: 'null', host: '', port: '' }
  if (text.toLowerCase() === FILE_ORIGIN) return { protocol: 'file', host: '', port: '' }
  const [, scheme = '', authority = ''] = ORIGIN_FORM.exec(text) ?? []
  const protocol = scheme.toLowerCase()
  const defaultPort = DEFAULT_PORTS.get(protocol)
  if (authority === DOT && defaultPort === undefined) return { protocol, host: DOT, port: '' }
  const place = parseAuthority(authority)
  return place && { protocol, host: place.host, port: place.port || (defaultPort ?? '') }
}

/** Parses a whole origin, or a host or host and port, such as `example.com`, `[::1]:8000` or `::1`. */
export function parseOriginEntry(text: string): OriginEntry | undefined {
  const isWhole = text === OPAQUE_ORIGIN || text.includes('://')
  if (isWhole) {
    const origin = parseOrigin(text)
    return origin && { ...origin, isWhole }
  }
  const place = parseAuthority(isIPv6(text) ? `[${text}]` : text)
  return place && { ...place, protocol: '', isWhole }
}

function parseAuthority(authority: string): Omit<WebOrigin, 'protocol'> | undefined {
  if (!AUTHORITY_FORM.test(authority)) return undefined
  // Parsed as http whatever the scheme is, because `URL` normalizes host names only for schemes that it knows.
  const url = `http://${authority}`
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  return HOST_FORM.test(host) ? { host, port: givenPort(authority) } : undefined
}

/** Returns the port without leading zeros. `URL` would drop the default port of http. */
function givenPort(authority: string): string {
  return /:0*(\d+)$/.exec(authority)?.[1] ?? ''
}

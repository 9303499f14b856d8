/**
 * What a proxied request looked like to the client: its address, scheme and path prefix.
 *
 * Anybody can send the headers that carry this, so they count only from trusted proxies. A trusted proxy must set or
 * remove each of them.
 */
import { isIP, isIPv4 } from 'node:net'
import { isUnixPeer } from '../net/unix-peers.ts'
import { AddressList, plainAddress } from './addresses.ts'
import { clientIn } from './forwarded-for.ts'
import type { IncomingMessage } from 'node:http'

export type Scheme = 'http' | 'https'

/** The settings that {@link forwardedView} uses. */
export interface ForwardingRules {
  /**
   * Proxies whose headers are trusted, besides those that connect to a Unix domain socket. If the list is empty, only
   * `X-Scheme`, `X-URL-Scheme` and `X-Script-Name` are trusted, and only from this machine (127.0.0.0/8, ::1), as
   * Channelstream's users expect.
   */
  readonly trustedProxies: AddressList
  /** The setting `http_scheme`: the scheme of clients if no proxy header names one. Empty or unknown: not set. */
  readonly httpScheme?: string | undefined
}

/** How the client sees the server, and the server the client. */
export interface ForwardedView {
  /** The client's IP address in the form of `plainAddress`, or `unknown`. */
  readonly address: string
  /** For links and cookies. `ws` counts as `http`, `wss` as `https`. */
  readonly scheme: Scheme
  /** Whether the client used https. The setting `http_scheme` does not affect this. */
  readonly isHttps: boolean
  /** The path prefix before the server's own paths: empty, or like `/push`, without a trailing slash. */
  readonly prefix: string
}

/** Replaces a missing or malformed address. Only an `AddressList` for everyone contains it. */
export const UNKNOWN_ADDRESS = 'unknown'

/** The address of a peer of a Unix domain socket that forwards no request of somebody else. */
const UNIX_PEER_ADDRESS = '127.0.0.1'

const LOOPBACK = new AddressList(['127.0.0.0/8', '::1'])
const MAX_PREFIX_CHARACTERS = 256
// No quotes, brackets, ampersands or backslashes: the prefix ends up in links on pages.
const PREFIX_FORM = /^(?:\/[\w.~%@:+=,!$-]+)+$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/**
 * Derives the view from a request's connection and headers. Pure: the same request gives the same view.
 *
 * - address: the first address in `X-Forwarded-For`, from the right, that is not a trusted proxy.
 * - scheme: the last value of `X-Forwarded-Proto`, else `X-URL-Scheme`, else `X-Scheme`, else `http_scheme`, else the
 *   scheme of the connection. Values other than http, https, ws and wss are ignored.
 * - prefix: `X-Script-Name`, if it is a plain path of at most 256 characters.
 */
export function forwardedView(request: IncomingMessage, rules: ForwardingRules): ForwardedView {
  const { trustedProxies } = rules
  const isTrusted = isFromProxy(request, trustedProxies)
  const isLocal = trustedProxies.isEmpty && LOOPBACK.includes(request.socket.remoteAddress)
  const isTrustedOrLocal = isTrusted || isLocal
  const forwardedScheme =
    (isTrusted ? toScheme(lastOf(header(request, 'x-forwarded-proto'))) : undefined) ??
    (isTrustedOrLocal ? toScheme(header(request, 'x-url-scheme')) : undefined) ??
    (isTrustedOrLocal ? toScheme(header(request, 'x-scheme')) : undefined)
  const own = ownScheme(request)
  return {
    address: clientAddress(request, trustedProxies),
    scheme: forwardedScheme ?? toScheme(rules.httpScheme) ?? own,
    isHttps: (forwardedScheme ?? own) === 'https',
    prefix: isTrustedOrLocal ? toPrefix(header(request, 'x-script-name')) : '',
  }
}

/**
 * Headers that only proxies send: they name the client, scheme or path of the original request. Clients that connect
 * directly do not send them.
 */
const PROXY_HEADER =
  /^(?:via|forwarded|x-forwarded(?:-.+)?|x-original-.+|x-real-ip|x-(?:cluster-)?client-ip|(?:true|cf|fastly)-.*ip|x-(?:url-)?scheme|x-script-name)$/

/**
 * Returns the client's address for checks by address alone. Returns `unknown` if the address is loopback only because a
 * proxy on this machine forwarded the request, and that proxy is not trusted or does not name the client.
 */
export function provenAddress(
  request: IncomingMessage,
  { address }: Pick<ForwardedView, 'address'>,
  { trustedProxies }: ForwardingRules,
): string {
  if (!LOOPBACK.includes(address)) return address
  const isNamed =
    isFromProxy(request, trustedProxies) && request.headers['x-forwarded-for'] !== undefined
  const isForwarded = Object.keys(request.headers).some((name) => PROXY_HEADER.test(name))
  return isForwarded && !isNamed ? UNKNOWN_ADDRESS : address
}

/**
 * Removes `prefix` from the path of a request's `url` (path and query) if it matches whole segments: `/push` is removed
 * from `/push/connect` and from `/push`, which becomes `/`, but not from `/pushed`.
 */
export function stripPrefix(url: string, prefix: string): string {
  if (prefix === '' || !url.startsWith(prefix)) return url
  const rest = url.slice(prefix.length)
  if (rest === '' || rest.startsWith('?')) return `/${rest}`
  return rest.startsWith('/') ? rest : url
}

/**
 * Returns the link to one of the server's own paths as the client sees it: `/prefix/path`. Scheme and host are left
 * out, because `Host` is not verified: with it, the caller could choose where the link leads.
 *
 * The link has both, as recorded (http-scheme, http-scheme-header), if the scheme of the view differs from that of the
 * connection and the host is certainly this server: the address that the connection was made to.
 */
export function ownLink(request: IncomingMessage, view: ForwardedView, path: `/${string}`): string {
  const local = view.prefix + path
  const { host } = request.headers
  const isForwardedScheme = view.scheme !== ownScheme(request)
  const isOwn = host !== undefined && host === localHost(request)
  return isForwardedScheme && isOwn ? `${view.scheme}://${host}${local}` : local
}

/**
 * Returns the local address of the connection in the form of a `Host` header. Undefined if the connection is closed.
 */
function localHost({ socket }: IncomingMessage): string | undefined {
  const { localAddress = '', localPort } = socket
  if (isIP(localAddress) === 0) return undefined
  const address = plainAddress(localAddress)
  return `${isIPv4(address) ? address : `[${address}]`}:${localPort}`
}

const ownScheme = ({ socket }: IncomingMessage): Scheme =>
  'encrypted' in socket ? 'https' : 'http'

/** Peers of a Unix domain socket are trusted: the mode of the socket decides who may connect. */
const isFromProxy = ({ socket }: IncomingMessage, trusted: AddressList): boolean =>
  isUnixPeer(socket) || (!trusted.isEmpty && trusted.includes(socket.remoteAddress))

function clientAddress(request: IncomingMessage, trusted: AddressList): string {
  // A program on this machine without a proxy is one that may connect to 127.0.0.1.
  const peer = isUnixPeer(request.socket) ? UNIX_PEER_ADDRESS : request.socket.remoteAddress
  const address =
    peer !== undefined && isFromProxy(request, trusted)
      ? clientIn(header(request, 'x-forwarded-for'), peer, (hop) => trusted.includes(hop))
      : peer
  // Never fall back to the proxy's own address: it probably is one that may post.
  return address !== undefined && isIP(address) > 0 ? plainAddress(address) : UNKNOWN_ADDRESS
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/** Returns the value that the nearest proxy added. The client may have invented those before it. */
function lastOf(list: string | undefined): string | undefined {
  return list?.slice(list.lastIndexOf(',') + 1)
}

function toScheme(value: string | undefined): Scheme | undefined {
  switch (value?.trim().toLowerCase()) {
    case 'http':
    case 'ws':
      return 'http'
    case 'https':
    case 'wss':
      return 'https'
    default:
      return undefined
  }
}

function toPrefix(value: string | undefined): string {
  if (value === undefined || value.length > MAX_PREFIX_CHARACTERS) return ''
  const prefix = value.endsWith('/') ? value.slice(0, -1) : value
  return PREFIX_FORM.test(prefix) && !DOT_SEGMENT.test(prefix) ? prefix : ''
}

/**
 * What a request was before a proxy passed it on: whose, by which scheme, under which path prefix.
 *
 * Headers that tell it are believed only of proxies that are trusted, because anybody can send them. A
 * trusted proxy has to set or remove each of them.
 */
import { isIP, isIPv4 } from 'node:net'
import proxyAddress from '@fastify/proxy-addr'
import { AddressList, plainAddress } from './addresses.ts'
import type { IncomingMessage } from 'node:http'

export type Scheme = 'http' | 'https'

/** The settings that {@link forwardedView} goes by. */
export interface ForwardingRules {
  /**
   * Proxies whose headers count. While the list is empty, `X-Scheme`, `X-URL-Scheme` and `X-Script-Name`
   * count from this machine (127.0.0.0/8, ::1), as Channelstream's users are used to, and no others do.
   */
  readonly trustedProxies: AddressList
  /** The setting `http_scheme`: what clients come by where no proxy tells it. Empty or unknown: not set. */
  readonly httpScheme?: string | undefined
}

/** How the client sees the server, and the server the client. */
export interface ForwardedView {
  /** The client's IP address, in the spelling of `plainAddress`, or `unknown`. */
  readonly address: string
  /** For links and cookies; `ws` counts as `http`, `wss` as `https`. */
  readonly scheme: Scheme
  /** Whether the client's request came by https, whatever the setting `http_scheme` says. */
  readonly isHttps: boolean
  /** What stands before the server's own paths: empty, or like `/push`, without a slash at its end. */
  readonly prefix: string
}

/** Stands for an address that is missing or malformed. It is in no `AddressList` but everyone's. */
export const UNKNOWN_ADDRESS = 'unknown'

const LOOPBACK = new AddressList(['127.0.0.0/8', '::1'])
const MAX_PREFIX_CHARACTERS = 256
// No quotes, brackets, ampersands or backslashes: the prefix ends up in links on pages.
const PREFIX_FORM = /^(?:\/[\w.~%@:+=,!$-]+)+$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/**
 * Reads the view from a request's connection and headers. Pure: the same request gives the same view.
 *
 * - address: `X-Forwarded-For` from the right, past trusted proxies, to the first that is not one.
 * - scheme: the last of `X-Forwarded-Proto`, else `X-URL-Scheme`, else `X-Scheme`, else `http_scheme`, else
 *   that of the connection. Values other than http, https, ws and wss are passed over.
 * - prefix: `X-Script-Name`, if it is a plain path of at most 256 characters.
 */
export function forwardedView(request: IncomingMessage, rules: ForwardingRules): ForwardedView {
  const { trustedProxies } = rules
  const peer = request.socket.remoteAddress
  const isTrusted = !trustedProxies.isEmpty && trustedProxies.includes(peer)
  const mayName = isTrusted || (trustedProxies.isEmpty && LOOPBACK.includes(peer))
  const told =
    (isTrusted ? toScheme(lastOf(header(request, 'x-forwarded-proto'))) : undefined) ??
    (mayName ? toScheme(header(request, 'x-url-scheme')) : undefined) ??
    (mayName ? toScheme(header(request, 'x-scheme')) : undefined)
  const own = ownScheme(request)
  return {
    address: clientAddress(request, trustedProxies),
    scheme: told ?? toScheme(rules.httpScheme) ?? own,
    isHttps: (told ?? own) === 'https',
    prefix: mayName ? toPrefix(header(request, 'x-script-name')) : '',
  }
}

/**
 * What a request has only if a proxy passed it on: the names by which proxies tell for whom, and by which scheme and path.
 * Nobody who asks for himself sends them.
 */
const PROXY_HEADER =
  /^(?:via|forwarded|x-forwarded(?:-.+)?|x-original-.+|x-real-ip|x-(?:cluster-)?client-ip|(?:true|cf|fastly)-.*ip|x-(?:url-)?scheme|x-script-name)$/

/**
 * The client's address, for what is allowed by address alone. `unknown` if it is loopback only because a proxy on this
 * machine passed the request on: one that is not trusted, or that does not say for whom.
 */
export function provenAddress(
  request: IncomingMessage,
  { address }: Pick<ForwardedView, 'address'>,
  { trustedProxies }: ForwardingRules,
): string {
  if (!LOOPBACK.includes(address)) return address
  const isTold =
    !trustedProxies.isEmpty &&
    trustedProxies.includes(request.socket.remoteAddress) &&
    request.headers['x-forwarded-for'] !== undefined
  const isPassedOn = Object.keys(request.headers).some((name) => PROXY_HEADER.test(name))
  return isPassedOn && !isTold ? UNKNOWN_ADDRESS : address
}

/**
 * Takes `prefix` off the path of a request's `url` (path and query), if it is there as whole segments:
 * `/push` is taken off `/push/connect` and `/push`, which leaves `/`, but not off `/pushed`.
 */
export function stripPrefix(url: string, prefix: string): string {
  if (prefix === '' || !url.startsWith(prefix)) return url
  const rest = url.slice(prefix.length)
  if (rest === '' || rest.startsWith('?')) return `/${rest}`
  return rest.startsWith('/') ? rest : url
}

/**
 * The link to one of the server's own paths, as the client sees it: `/prefix/path`, without scheme and host, because nobody
 * vouches for the `Host` of a request: the link would lead wherever the caller says.
 *
 * It has both, as recorded (http-scheme, http-scheme-header), if another scheme is told than the connection has and the
 * host is this server without doubt: the address that the connection was made to.
 */
export function ownLink(request: IncomingMessage, view: ForwardedView, path: `/${string}`): string {
  const local = view.prefix + path
  const { host } = request.headers
  const isTold = view.scheme !== ownScheme(request)
  const isOwn = host !== undefined && host === localHost(request)
  return isTold && isOwn ? `${view.scheme}://${host}${local}` : local
}

/** The address that a connection was made to, as it stands in `Host`. Undefined if the connection is gone. */
function localHost({ socket }: IncomingMessage): string | undefined {
  const { localAddress = '', localPort } = socket
  if (isIP(localAddress) === 0) return undefined
  const address = plainAddress(localAddress)
  return `${isIPv4(address) ? address : `[${address}]`}:${localPort}`
}

const ownScheme = ({ socket }: IncomingMessage): Scheme =>
  'encrypted' in socket ? 'https' : 'http'

function clientAddress(request: IncomingMessage, trusted: AddressList): string {
  const address = trusted.isEmpty
    ? request.socket.remoteAddress
    : proxyAddress(request, (hop) => trusted.includes(hop))
  // Never the proxy's own address instead: it is likely to be one that may post.
  return address !== undefined && isIP(address) > 0 ? plainAddress(address) : UNKNOWN_ADDRESS
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/** What the nearest proxy added; those before it may be the client's invention. */
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

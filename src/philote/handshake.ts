/** What a request for a WebSocket has to say, in the order in which the originals look at it. */
import { JWT_REFUSALS, REDIS_REFUSALS } from './refusals.ts'
import type { IncomingMessage } from 'node:http'
import type { Refusal } from './refusals.ts'

const WEBSOCKET_VERSION = '13'

/** Undefined: it is a handshake. */
export function refuseJwtHandshake(
  { method, headers }: IncomingMessage,
  checksOrigin: boolean,
): Refusal | undefined {
  if (method !== 'GET') return JWT_REFUSALS.method
  if (!hasToken(textOf(headers['sec-websocket-version']), WEBSOCKET_VERSION))
    return JWT_REFUSALS.version
  if (!hasToken(headers.connection, 'upgrade')) return JWT_REFUSALS.connection
  if (!hasToken(headers.upgrade, 'websocket')) return JWT_REFUSALS.upgrade
  if (checksOrigin && isForeign(headers.origin, headers.host)) return JWT_REFUSALS.origin
  return isKey(headers['sec-websocket-key']) ? undefined : JWT_REFUSALS.key
}

/** Undefined: it is a handshake. */
export function refuseRedisHandshake({ method, headers }: IncomingMessage): Refusal | undefined {
  if (method !== 'GET') return REDIS_REFUSALS.method
  if (
    headers.upgrade?.toLowerCase() !== 'websocket' ||
    headers.connection?.toLowerCase().includes('upgrade') !== true
  )
    return REDIS_REFUSALS.notWebSocket
  if (!isKey(headers['sec-websocket-key'])) return REDIS_REFUSALS.key
  if (textOf(headers['sec-websocket-version']) !== WEBSOCKET_VERSION) return REDIS_REFUSALS.version
  if (!isUrl(headers.origin)) return REDIS_REFUSALS.origin
  const protocols = textOf(headers['sec-websocket-protocol'])
  return protocols?.includes(',') === true ? REDIS_REFUSALS.protocol : undefined
}

/**
 * The token of a request: the `Authorization` header less `Bearer`; only if that leaves nothing, `?auth=`. Empty if
 * there is none.
 */
export function bearerOf({ headers, url }: IncomingMessage): string {
  const fromHeader = (headers.authorization ?? '').replace(/^Bearer/, '').trim()
  return fromHeader === '' ? (queryOf(url).get('auth') ?? '') : fromHeader
}

export function queryOf(url: string | undefined): URLSearchParams {
  const start = url?.indexOf('?') ?? -1
  return new URLSearchParams(start < 0 ? '' : url?.slice(start))
}

/** The path without its query, percent-decoded; undefined if it cannot be. */
export function pathOf(url: string | undefined): string | undefined {
  try {
    return decodeURIComponent((url ?? '/').replace(/\?.*$/s, ''))
  } catch {
    return undefined
  }
}

/** Whether one of a header's values is this one, in any letter case. */
const hasToken = (header: string | undefined, token: string): boolean =>
  header?.split(',').some((part) => part.trim().toLowerCase() === token) === true

const textOf = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === 'object' ? header.join(',') : header

/** Whatever else `ws` cannot take is refused the same way. */
const isKey = (key: string | undefined): boolean =>
  key !== undefined && /^[+/0-9A-Za-z]{22}==$/.test(key)

/** Host and port of an origin, as they are written. A request without Origin is no browser's. */
function isForeign(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return false
  const [, authority] = /^[a-z][a-z\d+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(origin) ?? []
  return authority?.toLowerCase() !== host?.toLowerCase()
}

const isUrl = (text: string | undefined): boolean =>
  text !== undefined && (text.startsWith('/') || URL.canParse(text))

/** Checks WebSocket handshakes in the same order as the original servers. */
import { pathOf, queryOf } from '../lib/urls.ts'
import { JWT_REFUSALS, REDIS_REFUSALS } from './refusals.ts'
import type { IncomingMessage } from 'node:http'
import type { Refusal } from './refusals.ts'

const WEBSOCKET_VERSION = '13'

/** Returns undefined if the request is a valid handshake. */
export function refuseJwtHandshake(
  { method, headers }: IncomingMessage,
  checksOrigin: boolean,
): Refusal | undefined {
  if (method !== 'GET') return JWT_REFUSALS.method
  if (!hasToken(textOf(headers['sec-websocket-version']), WEBSOCKET_VERSION))
    return JWT_REFUSALS.version
  if (!hasToken(headers.connection, 'upgrade')) return JWT_REFUSALS.connection
  if (!hasToken(headers.upgrade, 'websocket')) return JWT_REFUSALS.upgrade
  if (checksOrigin && isOtherHost(headers.origin, headers.host)) return JWT_REFUSALS.origin
  return isKey(headers['sec-websocket-key']) ? undefined : JWT_REFUSALS.key
}

/** Returns undefined if the request is a valid handshake. */
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
 * Returns the token of a request: the `Authorization` header without `Bearer`, or `?auth=` if that is empty. Returns an
 * empty string if there is no token.
 */
export function bearerOf({ headers, url }: IncomingMessage): string {
  const fromHeader = (headers.authorization ?? '').replace(/^Bearer/, '').trim()
  return fromHeader === '' ? (queryOf(url).get('auth') ?? '') : fromHeader
}

/** Returns the percent-decoded path without the query; undefined if it cannot be decoded. */
export function decodedPathOf(url: string | undefined): string | undefined {
  try {
    return decodeURIComponent(pathOf(url))
  } catch {
    return undefined
  }
}

/** Whether a header contains this value. Case-insensitive. */
const hasToken = (header: string | undefined, token: string): boolean =>
  header?.split(',').some((part) => part.trim().toLowerCase() === token) === true

const textOf = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === 'object' ? header.join(',') : header

/** Other faults that `ws` finds in a handshake are refused the same way as an invalid key. */
const isKey = (key: string | undefined): boolean =>
  key !== undefined && /^[+/0-9A-Za-z]{22}==$/.test(key)

/** Compares host and port of the origin as they are written. A request without Origin is not from a browser. */
function isOtherHost(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return false
  const [, authority] = /^[a-z][a-z\d+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i.exec(origin) ?? []
  return authority?.toLowerCase() !== host?.toLowerCase()
}

const isUrl = (text: string | undefined): boolean =>
  text !== undefined && (text.startsWith('/') || URL.canParse(text))

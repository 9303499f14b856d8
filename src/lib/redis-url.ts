/** Parses and displays Redis URLs. */

/** The accepted forms, for messages and documentation. */
export const REDIS_URL_FORMS =
  'redis://host:port/database, rediss:// for TLS, unix:///path, redis+sentinel://host:port,host:port/name or ' +
  'redis+cluster://host:port,host:port'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** The address of one process that speaks the Redis protocol. */
export type Endpoint = HostPort | { readonly path: string }

/** For TLS, in PEM. Without them, those that Node.js trusts, and no certificate of the client. */
export interface Certificates {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface Login {
  readonly username: string
  readonly password: string
}

export interface RedisAddress extends Login {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The Redis server, the Sentinels, or some nodes of the Cluster. At least one. */
  readonly endpoints: readonly Endpoint[]
  /** The name of the master at the Sentinels; empty without Sentinels. */
  readonly master: string
  readonly tls: boolean
  readonly database: number
  /** Not part of a URL. */
  readonly certificates?: Certificates
  /** Of the Sentinels, which have users of their own. Not part of a URL. */
  readonly sentinelLogin?: Login
}

/**
 * Advice for an invalid URL with a user or password, where some characters must be percent-encoded. It shows nothing of
 * the URL, which may contain the password.
 */
export const loginAdvice = (url: string): string =>
  url.includes('@')
    ? '; in a user or password @ has to be written as %40, / as %2F, ? as %3F, # as %23 and % as %25'
    : ''

/** At most one @: with two, the part between them would be shown as a host, and it may be part of the password. */
const URL_FORM =
  /^(redis|rediss|unix|redis\+unix)(?:\+(sentinel|cluster))?:\/\/(?:([^@]*)@)?([^/?#@]*)(\/[^?#@]*)?(?:\?([^@]*))?$/

/** Returns undefined for anything that is not a Redis URL. */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const [, scheme = '', kind = 'single', login = '', hosts = '', path = '', query = ''] =
    URL_FORM.exec(url) ?? []
  const credentials = readLogin(login)
  if (scheme === '' || !credentials) return undefined
  const common = { ...credentials, tls: scheme === 'rediss', master: '' }
  if (scheme.endsWith('unix')) {
    const database = readDatabase(new URLSearchParams(query).get('db') ?? '')
    const file = decoded(path)
    if (kind !== 'single' || hosts !== '' || !file || database === undefined) return undefined
    return { ...common, kind, database, endpoints: [{ path: file }] }
  }
  const endpoints = hosts.split(',').map((text) => readHost(text, DEFAULT_PORTS[kind] ?? 6379))
  if (!endpoints.every((endpoint) => endpoint !== undefined)) return undefined
  return withPath({ ...common, kind: kind as RedisAddress['kind'], endpoints }, path)
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { sentinel: 26379 }

function withPath(address: Omit<RedisAddress, 'database'>, path: string): RedisAddress | undefined {
  const [first = '', second = ''] = path.split('/').slice(1)
  const isSentinel = address.kind === 'sentinel'
  const master = isSentinel ? decoded(first) : ''
  const database = readDatabase(isSentinel ? second : first)
  if (database === undefined || (isSentinel && !master)) return undefined
  if (address.kind === 'cluster' && database !== 0) return undefined
  if (address.kind === 'single' && address.endpoints.length !== 1) return undefined
  return { ...address, database, master: master ?? '' }
}

function readLogin(text: string): Login | undefined {
  const [name = '', ...rest] = text.split(':')
  const [username, password] = [decoded(name), decoded(rest.join(':'))]
  if (username === undefined || password === undefined) return undefined
  return { username, password }
}

/** Returns undefined for invalid percent-encoding. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function readDatabase(text: string): number | undefined {
  if (text === '') return 0
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined
}

function readHost(text: string, defaultPort: number): HostPort | undefined {
  const [, bracketed, plain, portText] =
    /^(?:\[([\d:a-f.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const port = portText === undefined ? defaultPort : Number(portText)
  if (host === undefined || port < 1 || port > 65_535) return undefined
  return { host, port }
}

/** For people. Never contains user or password. */
export const shownEndpoint = (endpoint: Endpoint): string =>
  'path' in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`

export function shownAddress({ kind, endpoints, master }: RedisAddress): string {
  const places = endpoints.map(shownEndpoint).join(', ')
  if (kind === 'sentinel') return `${master}, by the Sentinels at ${places}`
  return kind === 'cluster' ? `the Cluster of ${places}` : places
}

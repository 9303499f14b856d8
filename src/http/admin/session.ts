import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AdminSessionStore } from '../../store/admin-sessions.ts'
import type { Awaitable } from '../../store/store.ts'

export interface AdminCredentials {
  readonly user: string
  /** The password. */
  readonly secret: string
  /** Other values of the password whose sessions stay open. Nobody can sign in with them. */
  readonly secretFallbacks: readonly string[]
  /** Changing it ends all sessions, as does changing the user or the password. May be empty. */
  readonly cookieSecret: string
}

export const SESSION_SECONDS = 12 * 3600

export const ADMIN_COOKIE = 'channelstream_admin'
const ID_BYTES = 32
/** `channelstream_admin=<id>`. The name ends in `_<port>` if `Host` has a port. */
const COOKIE_FORM = new RegExp(`^(${ADMIN_COOKIE}(?:_\\d{1,5})?)=([\\w-]{43})$`)
/** A browser has one cookie for each server on the host that it is signed in to. Any further cookies are ignored. */
const MAX_COOKIES = 8

/**
 * Sessions of the admin pages. A browser is signed in if its cookie holds the random id of an open session.
 *
 * The store knows a session only by a name that is derived from the id, the credentials and `cookie_secret`. So read
 * access to the store is not enough to sign in, and after a change of credentials no session is found. Sessions that were
 * opened with a fallback of the password are found as well.
 */
export class AdminSessions {
  /** The first one is for new sessions. */
  #keys: readonly [Buffer, ...Buffer[]]

  constructor(
    private credentials: AdminCredentials,
    private readonly store: AdminSessionStore,
  ) {
    this.#keys = keysOf(credentials)
  }

  /** From now on, only sessions are open that these credentials would find after a restart. */
  changeCredentials(credentials: AdminCredentials): void {
    this.credentials = credentials
    this.#keys = keysOf(credentials)
  }

  /** Compares in constant time. Ignores surrounding spaces, as recorded upstream. */
  accepts(user: string, password: string): boolean {
    const userIsRight = isSame(user.trim(), this.credentials.user)
    const passwordIsRight = isSame(password.trim(), this.credentials.secret)
    return userIsRight && passwordIsRight
  }

  /** Opens a session and returns its `Set-Cookie`. Ends the session whose cookie is replaced. */
  async signIn(request: IncomingMessage, scope: CookieScope): Promise<string> {
    const id = randomBytes(ID_BYTES).toString('base64url')
    // Now: the password that was checked may be replaced while the store answers.
    const [key] = this.#keys
    const own = cookieName(request)
    await this.#end(cookiesIn(request).filter(({ name }) => name === own))
    await this.store.open(nameOf(id, key))
    return `${own}=${id}; Max-Age=${SESSION_SECONDS}; ${attributes(scope)}`
  }

  /** Ends the sessions of this request on all servers. Returns the `Set-Cookie` that removes the cookie. */
  async signOut(request: IncomingMessage, scope: CookieScope): Promise<string> {
    await this.#end(cookiesIn(request))
    return `${cookieName(request)}=; Max-Age=0; ${attributes(scope)}`
  }

  /** Rejects with `StoreUnavailable` if the store cannot be reached. */
  isSignedIn(request: IncomingMessage): Awaitable<boolean> {
    const names = this.#namesOf(cookiesIn(request))
    return names.length > 0 && this.store.isAnyOpen(names)
  }

  async #end(cookies: readonly Cookie[]): Promise<void> {
    if (cookies.length > 0) await this.store.end(this.#namesOf(cookies))
  }

  /** Returns the names that the sessions of these cookies have, with each value of the password. */
  #namesOf(cookies: readonly Cookie[]): string[] {
    return cookies.flatMap(({ id }) => this.#keys.map((key) => nameOf(id, key)))
  }
}

function keysOf(credentials: AdminCredentials): readonly [Buffer, ...Buffer[]] {
  const { secret, secretFallbacks } = credentials
  const fallbacks = secretFallbacks.map((fallback) => keyOf(credentials, fallback))
  return [keyOf(credentials, secret), ...fallbacks]
}

function keyOf({ cookieSecret, user }: AdminCredentials, secret: string): Buffer {
  const parts = JSON.stringify(['channelstream admin session', cookieSecret, user, secret])
  return createHash('sha256').update(parts).digest()
}

const nameOf = (id: string, key: Buffer): string =>
  createHmac('sha256', key).update(id).digest('base64url')

interface Cookie {
  readonly name: string
  readonly id: string
}

/**
 * Returns the cookies that may belong to this server, starting with the name that it sets itself. Most requests have
 * none.
 */
function cookiesIn(request: IncomingMessage): readonly Cookie[] {
  const { cookie } = request.headers
  if (cookie === undefined) return []
  const found = cookie.split(';').flatMap((pair) => {
    const [, name = '', id] = COOKIE_FORM.exec(pair.trim()) ?? []
    return id === undefined ? [] : [{ name, id }]
  })
  const own = cookieName(request)
  const ownFirst = found.toSorted((a, b) => Number(b.name === own) - Number(a.name === own))
  return ownFirst.slice(0, MAX_COOKIES)
}

export interface CookieScope {
  readonly isHttps: boolean
  readonly path: string
}

const attributes = ({ isHttps, path }: CookieScope): string =>
  `Path=${path}; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`

/**
 * Cookies belong to a host, not to a port. The port is part of the name, because otherwise servers on two ports of one
 * host would overwrite each other's cookies.
 */
function cookieName({ headers }: IncomingMessage): string {
  const [, port] = /:(\d{1,5})$/.exec(headers.host ?? '') ?? []
  return port === undefined ? ADMIN_COOKIE : `${ADMIN_COOKIE}_${port}`
}

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AdminSessionStore } from '../../store/admin-sessions.ts'
import type { Awaitable } from '../../store/store.ts'

export interface AdminCredentials {
  readonly user: string
  readonly secret: string
  /** Changing it ends all sessions, as changing the user or the password does. May be empty. */
  readonly cookieSecret: string
}

export const SESSION_SECONDS = 12 * 3600

const COOKIE = 'channelstream_admin'
const ID_BYTES = 32
/** `channelstream_admin=<id>`, or with the port of a server behind the name. */
const COOKIE_FORM = new RegExp(`^(${COOKIE}(?:_\\d{1,5})?)=([\\w-]{43})$`)
/** A browser has one for each server on the same host that it is signed in to. More are not looked at. */
const MAX_COOKIES = 8

/**
 * Who is signed in to the admin pages: whose browser has a cookie with the random id of a session that is open.
 *
 * The store knows sessions by names, each made from an id, the credentials and `cookie_secret`. So whoever reads the store
 * cannot sign in with what stands there, and other credentials find none of the sessions.
 */
export class AdminSessions {
  readonly #key: Buffer

  constructor(
    private readonly credentials: AdminCredentials,
    private readonly store: AdminSessionStore,
  ) {
    const { cookieSecret, user, secret } = credentials
    const parts = JSON.stringify(['channelstream admin session', cookieSecret, user, secret])
    this.#key = createHash('sha256').update(parts).digest()
  }

  /** Compares without telling by its time how much was right. Spaces around are passed over, as recorded upstream. */
  accepts(user: string, password: string): boolean {
    const userIsRight = isSame(user.trim(), this.credentials.user)
    const passwordIsRight = isSame(password.trim(), this.credentials.secret)
    return userIsRight && passwordIsRight
  }

  /** Opens a session and returns its `Set-Cookie`. Ends the session whose cookie is replaced. */
  async signIn(request: IncomingMessage, place: CookiePlace): Promise<string> {
    const id = randomBytes(ID_BYTES).toString('base64url')
    const own = cookieName(request)
    await this.#end(cookiesIn(request).filter(({ name }) => name === own))
    await this.store.open(this.#nameOf(id))
    return `${own}=${id}; Max-Age=${SESSION_SECONDS}; ${attributes(place)}`
  }

  /** Ends the sessions of this request, at every server, and returns the `Set-Cookie` that removes the cookie. */
  async signOut(request: IncomingMessage, place: CookiePlace): Promise<string> {
    await this.#end(cookiesIn(request))
    return `${cookieName(request)}=; Max-Age=0; ${attributes(place)}`
  }

  /** Rejects with `StoreUnavailable` if nobody can say. */
  isSignedIn(request: IncomingMessage): Awaitable<boolean> {
    const names = cookiesIn(request).map(({ id }) => this.#nameOf(id))
    return names.length > 0 && this.store.isAnyOpen(names)
  }

  async #end(cookies: readonly Cookie[]): Promise<void> {
    if (cookies.length > 0) await this.store.end(cookies.map(({ id }) => this.#nameOf(id)))
  }

  #nameOf(id: string): string {
    return createHmac('sha256', this.#key).update(id).digest('base64url')
  }
}

interface Cookie {
  readonly name: string
  readonly id: string
}

/** Those that may be of this server, the one that it would set first. Most requests have none. */
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

export interface CookiePlace {
  readonly isHttps: boolean
  readonly path: string
}

const attributes = ({ isHttps, path }: CookiePlace): string =>
  `Path=${path}; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`

/**
 * Cookies belong to a host, whatever its ports. Servers on two ports of a host would take each other's place in the
 * browser if their cookies had one name.
 */
function cookieName({ headers }: IncomingMessage): string {
  const [, port] = /:(\d{1,5})$/.exec(headers.host ?? '') ?? []
  return port === undefined ? COOKIE : `${COOKIE}_${port}`
}

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

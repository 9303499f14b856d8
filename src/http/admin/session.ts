import { randomUUID, timingSafeEqual, createHash } from 'node:crypto'
import { createSigner } from '../signature.ts'
import type { Clock } from '../../clock.ts'
import type { IncomingMessage } from 'node:http'

export interface AdminCredentials {
  readonly user: string
  readonly secret: string
  /** Signs the cookie; '' for a random one, with which sessions end when the server does. */
  readonly cookieSecret: string
}

const COOKIE = 'channelstream_admin'
const SESSION_SECONDS = 12 * 3600

/** Who is signed in to the admin pages: a signed cookie, no state but what was signed out. */
export class AdminSessions {
  readonly #signer
  /** Sessions that were signed out before they expired, with the second they would have. */
  readonly #signedOut = new Map<string, number>()

  constructor(
    private readonly credentials: AdminCredentials,
    private readonly clock: Clock,
  ) {
    // Not the bare secret: a cookie must never pass as the signature of a request, nor the other way round.
    const secret = `admin-session:${credentials.cookieSecret || randomUUID()}`
    this.#signer = createSigner(secret, { maxAgeSeconds: SESSION_SECONDS })
  }

  /** Compares without telling by its time how much was right. Spaces around are passed over, as recorded upstream. */
  accepts(user: string, password: string): boolean {
    const userIsRight = isSame(user.trim(), this.credentials.user)
    const passwordIsRight = isSame(password.trim(), this.credentials.secret)
    return userIsRight && passwordIsRight
  }

  /** The `Set-Cookie` of a new session. */
  signIn({ isHttps, path }: CookiePlace): string {
    const value = this.#signer.sign(randomUUID(), this.#now())
    return `${COOKIE}=${value}; Max-Age=${SESSION_SECONDS}; ${attributes({ isHttps, path })}`
  }

  /** The `Set-Cookie` that ends the session of this request; the old cookie is worth nothing from then on. */
  signOut(request: IncomingMessage, place: CookiePlace): string {
    const session = this.#sessionOf(request)
    if (session) this.#signedOut.set(session.value, session.expiresAt)
    for (const [value, expiresAt] of this.#signedOut)
      if (expiresAt < this.#now()) this.#signedOut.delete(value)
    return `${COOKIE}=; Max-Age=0; ${attributes(place)}`
  }

  isSignedIn(request: IncomingMessage): boolean {
    const session = this.#sessionOf(request)
    return session !== undefined && !this.#signedOut.has(session.value)
  }

  #sessionOf({ headers }: IncomingMessage) {
    const cookies = (headers.cookie ?? '').split(';').map((cookie) => cookie.trim())
    const ours = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))
    return ours === undefined
      ? undefined
      : this.#signer.verify(ours.slice(COOKIE.length + 1), this.#now())
  }

  #now(): number {
    return Math.floor(this.clock.wallTime() / 1000)
  }
}

export interface CookiePlace {
  readonly isHttps: boolean
  readonly path: string
}

const attributes = ({ isHttps, path }: CookiePlace): string =>
  `Path=${path}; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`

function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

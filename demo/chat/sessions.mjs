/** Sessions: a name for each visitor, in a signed cookie. An application with accounts has this already. */
import { randomUUID } from 'node:crypto'
import { createSigner } from 'channelstream/signature'

const COOKIE = 'demo_chat'
const MAX_AGE_SECONDS = 30 * 24 * 3600
const MAX_NAMES = 10_000

export class Sessions {
  /** A new secret for each start: names do not survive a restart, so old cookies must be invalid. */
  #signer = createSigner(randomUUID(), { maxAgeSeconds: MAX_AGE_SECONDS })
  /** @type {Map<string, { readonly id: string, readonly name: string }>} Sessions by lower-case name. */
  #taken = new Map()

  /** Returns the `Set-Cookie` header of a new session, or undefined if the name is taken. */
  signIn(name) {
    const key = name.toLowerCase()
    if (this.#taken.has(key) || this.#taken.size >= MAX_NAMES) return undefined
    const session = { id: randomUUID(), name }
    this.#taken.set(key, session)
    const claim = Buffer.from(JSON.stringify(session)).toString('base64url')
    return cookie(this.#signer.sign(claim, Date.now() / 1000), MAX_AGE_SECONDS)
  }

  /** Returns the `Set-Cookie` header that signs out. The name stays taken: messages and conversations belong to it. */
  signOut(request) {
    const name = this.nameOf(request)
    if (name !== undefined) this.#taken.set(name.toLowerCase(), { id: '', name })
    return cookie('', 0)
  }

  /** @param {import('node:http').IncomingMessage} request */
  nameOf({ headers }) {
    const cookies = (headers.cookie ?? '').split(';').map((pair) => pair.trim())
    const ours = cookies.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
    const claim = ours && this.#signer.verify(ours, Date.now() / 1000)?.value
    if (!claim) return undefined
    const { id, name } = JSON.parse(Buffer.from(claim, 'base64url').toString())
    // Signing out invalidates the session.
    return this.#taken.get(name.toLowerCase())?.id === id ? name : undefined
  }
}

const cookie = (value, maxAge) =>
  `${COOKIE}=${value}; Max-Age=${maxAge}; Path=/chat/; HttpOnly; SameSite=Strict`

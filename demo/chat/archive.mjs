/**
 * The application's own store of messages; other applications use a database. The server delivers messages and keeps
 * only the latest ones. This store survives a restart of the server.
 *
 * @typedef {{ uuid: string, user: string, channel?: string, to?: string, text: string, at: string, n: number,
 *   revision: number, edited: boolean }} Message `n` is its position; `revision` grows with each change.
 */
import { RequestError } from './input.mjs'

const MAX_PER_PLACE = 200
const MAX_PLACES = 1000

export class Archive {
  /** @type {Map<string, Message>} */
  #byUuid = new Map()
  /** @type {Map<string, { readonly people?: readonly string[], readonly messages: Message[] }>} */
  #places = new Map()
  #n = 0

  /** The number of the latest message or change. */
  get latest() {
    return this.#n
  }

  /** Stores a message. A repeated `uuid` is stored only once. */
  add({ uuid, user, text, ...where }) {
    const known = this.#byUuid.get(uuid)
    if (known && known.user !== user)
      throw new RequestError(409, 'A message with this uuid already exists.')
    if (known) return known
    const { messages } = this.#place({ user, ...where })
    const n = ++this.#n
    const at = new Date().toISOString()
    const message = { uuid, user, ...where, text, at, n, revision: n, edited: false }
    messages.push(message)
    this.#byUuid.set(uuid, message)
    while (messages.length > MAX_PER_PLACE) this.#byUuid.delete(messages.shift()?.uuid)
    return message
  }

  edit(uuid, user, text) {
    const message = this.#own(uuid, user)
    return Object.assign(message, { text, edited: true, revision: ++this.#n })
  }

  delete(uuid, user) {
    const message = this.#own(uuid, user)
    const { messages } = this.#place(message)
    messages.splice(messages.indexOf(message), 1)
    this.#byUuid.delete(uuid)
    return message
  }

  /** @returns {readonly Message[]} */
  of(channel) {
    return this.#places.get(channelKey(channel))?.messages ?? []
  }

  /** The private conversations of a user, each with the name of the other user. */
  privateOf(user) {
    const own = [...this.#places.values()].filter(({ people }) => people?.includes(user))
    return own.map(({ people, messages }) => ({
      with: people.find((name) => name !== user) ?? user,
      messages,
    }))
  }

  /** Only the author may change a message. This is the real check: the page only hides the buttons. */
  #own(uuid, user) {
    const message = this.#byUuid.get(uuid)
    if (!message) throw new RequestError(404, 'This message no longer exists.')
    if (message.user !== user) throw new RequestError(403, 'Only the author can change a message.')
    return message
  }

  #place({ user, channel, to }) {
    const people = to === undefined ? undefined : [user, to].sort()
    const key = people ? JSON.stringify(people) : channelKey(channel)
    const place = this.#places.get(key) ?? { people, messages: [] }
    this.#places.set(key, place)
    if (this.#places.size > MAX_PLACES) this.#forgetOldest()
    return place
  }

  #forgetOldest() {
    const [[key, { messages }]] = this.#places
    for (const { uuid } of messages) this.#byUuid.delete(uuid)
    this.#places.delete(key)
  }
}

const channelKey = (channel) => `#${channel}`

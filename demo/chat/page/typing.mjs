/** Who is typing in which conversation. Expires by itself, since no event says that someone stopped. */
import { nameOf } from './elements.mjs'

const SHOWN_MS = 4_000
const NOTIFY_INTERVAL_MS = 2_000

export class Typing {
  /** @type {Map<string, Map<string, number>>} */
  #writers = new Map()
  #notifiedAt = -Infinity

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed
  }

  /** Returns whether to notify the others now: not with each key. */
  isDue() {
    if (performance.now() - this.#notifiedAt < NOTIFY_INTERVAL_MS) return false
    this.#notifiedAt = performance.now()
    return true
  }

  note(key, user) {
    const writers = this.#writers.get(key) ?? new Map()
    this.#writers.set(key, writers)
    clearTimeout(writers.get(user))
    writers.set(
      user,
      setTimeout(() => this.stopped(key, user), SHOWN_MS),
    )
    this.changed()
  }

  stopped(key, user) {
    const writers = this.#writers.get(key)
    clearTimeout(writers?.get(user))
    if (writers?.delete(user)) this.changed()
  }

  /** Call after sending a message: the next key notifies again. */
  sent() {
    this.#notifiedAt = -Infinity
  }

  wordsFor(key) {
    const [one, other, ...more] = this.#writers.get(key)?.keys() ?? []
    if (one === undefined) return []
    if (other === undefined) return [nameOf(one), ' is typing…']
    if (more.length > 0) return ['Several people are typing…']
    return [nameOf(one), ' and ', nameOf(other), ' are typing…']
  }
}

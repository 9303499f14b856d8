/** Who is writing, in which conversation. Forgotten by itself: nobody says that they stopped. */
import { nameOf } from './elements.mjs'

const SHOWN_MS = 4_000
const TELL_MS = 2_000

export class Typing {
  /** @type {Map<string, Map<string, number>>} */
  #writers = new Map()
  #toldAt = -Infinity

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed
  }

  /** Whether to tell the others now that one is writing: not with each key. */
  isDue() {
    if (performance.now() - this.#toldAt < TELL_MS) return false
    this.#toldAt = performance.now()
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

  /** For one's own messages: the next key tells again. */
  sent() {
    this.#toldAt = -Infinity
  }

  wordsFor(key) {
    const [one, other, ...more] = this.#writers.get(key)?.keys() ?? []
    if (one === undefined) return []
    if (other === undefined) return [nameOf(one), ' is writing…']
    if (more.length > 0) return ['Several people are writing…']
    return [nameOf(one), ' and ', nameOf(other), ' are writing…']
  }
}

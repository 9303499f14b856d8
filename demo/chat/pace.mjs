/** How often each user may do something: `limit` times in `windowMs`. */
export class Pace {
  /** @type {Map<string, number[]>} */
  #times = new Map()

  constructor(limit, windowMs) {
    this.limit = limit
    this.windowMs = windowMs
  }

  /** Whether the user may; if so, it counts. */
  allows(user, now = performance.now()) {
    const recent = (this.#times.get(user) ?? []).filter((time) => now - time < this.windowMs)
    const may = recent.length < this.limit
    this.#times.set(user, may ? [...recent, now] : recent)
    return may
  }
}

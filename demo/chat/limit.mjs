/** A rate limit per user: `limit` calls in `windowMs`. */
export class RateLimit {
  /** @type {Map<string, number[]>} */
  #times = new Map()

  constructor(limit, windowMs) {
    this.limit = limit
    this.windowMs = windowMs
  }

  /** Returns whether the user may proceed. If so, the call is counted. */
  allows(user, now = performance.now()) {
    const recent = (this.#times.get(user) ?? []).filter((time) => now - time < this.windowMs)
    const isAllowed = recent.length < this.limit
    this.#times.set(user, isAllowed ? [...recent, now] : recent)
    return isAllowed
  }
}

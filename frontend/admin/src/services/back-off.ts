const FIRST_MS = 400
const GROWTH = 1.7
const LONGEST_MS = 10_000

/** Calls `retry` after pauses that grow, at once when the browser says that the network is back. */
export class BackOff {
  #pauseMs = FIRST_MS
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly retry: () => void) {
    addEventListener('online', () => {
      if (this.#timer !== undefined) this.#now()
    })
  }

  wait(): void {
    clearTimeout(this.#timer)
    // Spread, so that a hundred panels do not come back to a restarted server at once.
    this.#timer = setTimeout(() => this.#now(), this.#pauseMs * (0.5 + Math.random() / 2))
    this.#pauseMs = Math.min(LONGEST_MS, this.#pauseMs * GROWTH)
  }

  reset(): void {
    this.#pauseMs = FIRST_MS
  }

  #now(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.retry()
  }
}

const MIN_DELAY_MS = 400
const GROWTH = 1.7
const MAX_DELAY_MS = 10_000

/** Calls `retry` with exponential backoff, and at once when the browser is online again. */
export class BackOff {
  #delayMs = MIN_DELAY_MS
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly retry: () => void) {
    addEventListener('online', () => {
      if (this.#timer !== undefined) this.#now()
    })
  }

  wait(): void {
    clearTimeout(this.#timer)
    // Jitter, so that many panels do not reconnect to a restarted server at once.
    this.#timer = setTimeout(() => this.#now(), this.#delayMs * (0.5 + Math.random() / 2))
    this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * GROWTH)
  }

  reset(): void {
    this.#delayMs = MIN_DELAY_MS
  }

  #now(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.retry()
  }
}

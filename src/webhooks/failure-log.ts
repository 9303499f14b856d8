import type { Clock } from '../lib/clock.ts'

export interface Log {
  warn(text: string): void
  info(text: string): void
}

/** A failing endpoint is reported at once, and then no more often than this. */
const REPORT_INTERVAL_MS = 60_000

/** Logs when an endpoint begins to fail, that it still does, and that it works again. */
export class FailureLog {
  #failures = 0
  #reportedAt = 0

  constructor(
    private readonly logger: Log,
    private readonly clock: Pick<Clock, 'now'>,
    /** The url for people. */
    private readonly endpoint: string,
  ) {}

  failed(reason: string, retryMs: number): void {
    this.#failures++
    const now = this.clock.now()
    if (this.#failures > 1 && now - this.#reportedAt < REPORT_INTERVAL_MS) return
    this.#reportedAt = now
    const again = this.#failures > 1 ? ` (${this.#failures} times in a row)` : ''
    this.logger.warn(
      `the webhook ${this.endpoint} failed: ${reason}${again}. ` +
        `Events wait; the next attempt is in ${(retryMs / 1000).toFixed(1)} s`,
    )
  }

  succeeded(): void {
    if (this.#failures > 0)
      this.logger.info(
        `the webhook ${this.endpoint} works again, after ${this.#failures} failed requests`,
      )
    this.#failures = 0
  }

  lost(count: number): void {
    this.logger.warn(`the server stops, and the webhook ${this.endpoint} misses ${count} events`)
  }
}

const MIN_MS = 60_000
const MAX_MS = 600_000

/** Transports that have failed are not used for a time, which doubles with each further failure. */
export class Cooldowns {
  readonly #running = new Map<unknown, { readonly ms: number; readonly until: number }>()

  start(transport: unknown): void {
    const ms = Math.min(Math.max(2 * (this.#running.get(transport)?.ms ?? 0), MIN_MS), MAX_MS)
    this.#running.set(transport, { ms, until: performance.now() + ms })
  }

  isRunning(transport: unknown): boolean {
    return performance.now() < (this.#running.get(transport)?.until ?? 0)
  }

  end(transport: unknown): void {
    this.#running.delete(transport)
  }

  endAll(): void {
    this.#running.clear()
  }
}

/**
 * SIGTERM and SIGINT of a process that serves, heard from the moment this is made. As process 1 of a container it would
 * not be ended by a signal that it has no handler for.
 */
export class StopSignals {
  #stop: (() => Promise<void>) | undefined
  #isStopping = false

  constructor() {
    process.on('SIGTERM', this.#onSignal)
    process.on('SIGINT', this.#onSignal)
  }

  /** From now on the first signal stops this in order, and a second one ends the process at once. */
  stopInOrder(app: { stop(): Promise<void> }, tell: (sentence: string) => void): void {
    this.#stop = async () => {
      try {
        await app.stop()
        process.exit(0)
      } catch (error) {
        tell(`could not stop in order: ${error instanceof Error ? error.message : String(error)}`)
        process.exit(1)
      }
    }
  }

  readonly #onSignal = (): void => {
    if (this.#isStopping) process.exit(1)
    this.#isStopping = true
    // Nobody is served before: there is nothing to stop in order.
    if (this.#stop) void this.#stop()
    else process.exit(0)
  }
}

import { endProcess } from '../telemetry/standard-streams.ts'

/**
 * SIGTERM and SIGINT of a process that serves, heard from the moment this is made. As process 1 of a container it would
 * not be ended by a signal that it has no handler for.
 */
export class StopSignals {
  #stopApp: (() => Promise<void>) | undefined
  #tell: (sentence: string) => void = () => {}
  /** Set once the process is ending. */
  #exitCode: number | undefined

  constructor() {
    process.on('SIGTERM', this.#onSignal)
    process.on('SIGINT', this.#onSignal)
  }

  /** From now on the first signal stops this in order, and a second one ends the process at once. */
  stopInOrder(app: { stop(): Promise<void> }, tell: (sentence: string) => void): void {
    this.#stopApp = () => app.stop()
    this.#tell = tell
  }

  /** Stops in order, with an exit code that wins over that of a signal. */
  readonly stop = (exitCode: number): void => {
    const isStopping = this.#exitCode !== undefined
    this.#exitCode = Math.max(this.#exitCode ?? 0, exitCode)
    if (isStopping) return
    // Before the server listens nobody is served: there is nothing to stop in order.
    if (!this.#stopApp) return endProcess(this.#exitCode)
    this.#stopApp().then(
      () => endProcess(this.#exitCode ?? 0),
      (error: unknown) => {
        this.#tell(
          `could not stop in order: ${error instanceof Error ? error.message : String(error)}`,
        )
        endProcess(1)
      },
    )
  }

  readonly #onSignal = (): void => (this.#exitCode === undefined ? this.stop(0) : endProcess(1))
}

import { endProcess } from '../telemetry/standard-streams.ts'
import { HangUp } from './hang-up.ts'

interface Stoppable {
  /** Resolves when `stop` may be called. */
  leave?(): Promise<void>
  stop(): Promise<void>
}

interface StopListeners {
  /** Is called when a graceful shutdown begins. */
  readonly onStopping: () => void
  readonly printError: (sentence: string) => void
}

/**
 * Handles SIGTERM and SIGINT in a server process, from its construction on. As process 1 of a container, the process
 * would ignore a signal without a handler.
 */
export class StopSignals {
  readonly hangUp = new HangUp(() => {
    this.#listeners.printError('the terminal is closed: the server stops')
    this.stop(0)
  })
  #app: Stoppable | undefined
  #listeners: StopListeners = { onStopping: () => {}, printError: () => {} }
  /** Set when the process is ending. */
  #exitCode: number | undefined

  constructor() {
    process.on('SIGTERM', this.#onSignal)
    process.on('SIGINT', this.#onSignal)
  }

  /** From now on, the first signal shuts `app` down gracefully, and a second signal ends the process immediately. */
  stopGracefully(app: Stoppable, listeners: StopListeners): void {
    this.#app = app
    this.#listeners = listeners
  }

  /** Shuts down gracefully. The exit code takes precedence over that of a signal. */
  readonly stop = (exitCode: number): void => {
    const isStopping = this.#exitCode !== undefined
    this.#exitCode = Math.max(this.#exitCode ?? 0, exitCode)
    if (isStopping) return
    // Before the server listens, there is nothing to shut down gracefully.
    if (!this.#app) return this.#end(this.#exitCode)
    this.#listeners.onStopping()
    stopInOrder(this.#app, exitCode === 0).then(
      () => this.#end(this.#exitCode ?? 0),
      (error: unknown) => {
        this.#listeners.printError(
          `graceful shutdown failed: ${error instanceof Error ? error.message : String(error)}`,
        )
        this.#end(1)
      },
    )
  }

  #end(exitCode: number): void {
    endProcess(exitCode, this.hangUp.hasLostTerminal ? this.hangUp.end : undefined)
  }

  readonly #onSignal = (): void => (this.#exitCode === undefined ? this.stop(0) : this.#end(1))
}

/** After a fault, the process ends as soon as it can. */
async function stopInOrder(app: Stoppable, hasTime: boolean): Promise<void> {
  if (hasTime) await app.leave?.()
  await app.stop()
}

import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'
import { inBackground } from '../lib/in-background.ts'

const STANDARD_STREAMS = [0, 1, 2]

/**
 * Handles SIGHUP in a server process. Without a handler it would end the process.
 *
 * The system sends it when a terminal is closed, too. A server that was started there stops then: otherwise its port
 * would stay in use, and nobody would see why.
 */
export class HangUp {
  readonly #hadTerminal = STANDARD_STREAMS.some(isatty) && hasTerminal()
  #start: (() => void) | undefined
  #isReloading = false
  #isRequested = false
  /** The terminal is closed that the server was started in. */
  hasLostTerminal = false

  constructor(private readonly stop: () => void) {
    process.on('SIGHUP', this.#onSignal)
  }

  /** Calls `reload` after each signal from now on, and once if there were signals before. Never two calls at once. */
  reloadBy(reload: () => Promise<void>, onFault: (error: unknown) => void): void {
    this.#start = () => inBackground(this.#run(reload), onFault)
    if (this.#isRequested) this.#start()
  }

  /** Ends the process as if it had not handled the signal. An exit would crash: Node resets the terminal then. */
  readonly end = (): void => {
    process.off('SIGHUP', this.#onSignal)
    process.kill(process.pid, 'SIGHUP')
  }

  readonly #onSignal = (): void => {
    if (this.#hadTerminal && !hasTerminal()) {
      this.hasLostTerminal = true
      return this.stop()
    }
    this.#isRequested = true
    if (!this.#isReloading) this.#start?.()
  }

  async #run(reload: () => Promise<void>): Promise<void> {
    this.#isReloading = true
    try {
      while (this.#isRequested) {
        this.#isRequested = false
        await reload()
      }
    } finally {
      this.#isReloading = false
    }
  }
}

/** Whether the process has a terminal that sends signals to it. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r+'))
    return true
  } catch {
    return false
  }
}

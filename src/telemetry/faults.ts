import { StoreUnavailable } from '../store/store.ts'
import type { FastifyBaseLogger } from 'fastify'

/** Errors that no caller waits for. They are logged, and counted for `/metrics`. */
export class Faults {
  #count = 0

  constructor(private readonly log: Pick<FastifyBaseLogger, 'fatal' | 'error' | 'warn'>) {}

  get count(): number {
    return this.#count
  }

  /** Records an error of background work. */
  readonly note = (error: unknown): void => {
    // The store itself logs once that it is unavailable.
    if (!(error instanceof StoreUnavailable))
      this.#record('error', error, 'something failed in the background')
  }

  /** Records an unhandled rejection. It is a bug in the program, whatever the reason. */
  rejected(reason: unknown): void {
    this.#record('error', reason, 'a promise was rejected, and nothing handled it')
  }

  /** Records an uncaught exception. */
  uncaught(error: unknown): void {
    this.#record('fatal', error, 'an exception was not caught; the server stops')
  }

  /** Logs a warning of Node.js. It is not counted. */
  warned(warning: Error): void {
    this.log.warn({ err: warning }, 'a warning of Node.js')
  }

  #record(level: 'fatal' | 'error', error: unknown, message: string): void {
    this.#count++
    this.log[level]({ err: error }, message)
  }
}

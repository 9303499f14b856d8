import { StoreUnavailable } from '../store/store.ts'
import type { FastifyBaseLogger } from 'fastify'

/** Errors that no caller waits for. They are logged, and counted for `/metrics`. */
export class Faults {
  #count = 0

  constructor(private readonly log: Pick<FastifyBaseLogger, 'fatal' | 'error' | 'warn'>) {}

  get count(): number {
    return this.#count
  }

  /** Takes the error of work in the background. */
  readonly note = (error: unknown): void => {
    // A store that is away says so itself, once.
    if (!(error instanceof StoreUnavailable))
      this.#take('error', error, 'something failed in the background')
  }

  /** Takes the reason of a rejected promise that nobody holds. That is a fault of the program, whatever the reason. */
  rejected(reason: unknown): void {
    this.#take('error', reason, 'a promise was rejected, and nothing handled it')
  }

  /** Takes an exception that left the event loop. */
  uncaught(error: unknown): void {
    this.#take('fatal', error, 'an exception was not caught; the server stops')
  }

  /** Takes a warning of Node.js. It is not counted. */
  warned(warning: Error): void {
    this.log.warn({ err: warning }, 'a warning of Node.js')
  }

  #take(level: 'fatal' | 'error', error: unknown, message: string): void {
    this.#count++
    this.log[level]({ err: error }, message)
  }
}

/** What failed. docs/client.md explains each code. */
export type ErrorCode =
  | 'request'
  | 'unreachable'
  | 'timeout'
  | 'answer'
  | 'mutator'
  | 'settings'
  | 'closed'
  | 'disconnected'
  | 'unconnected'
  | 'frame'
  | 'overflow'

export interface ErrorDetails extends ErrorOptions {
  /** The HTTP status, or the close code of a WebSocket; 0 if there is none. */
  readonly status?: number
  /** The answer: JSON as a value, anything else as text. */
  readonly answer?: unknown
}

/** All errors that the client throws, rejects with or emits. */
export class ChannelstreamError extends Error {
  override readonly name = 'ChannelstreamError'
  readonly status: number
  readonly answer: unknown

  constructor(
    readonly code: ErrorCode,
    message: string,
    { status = 0, answer, ...options }: ErrorDetails = {},
  ) {
    super(message, options)
    this.status = status
    this.answer = answer
  }
}

export const disconnected = (): ChannelstreamError =>
  new ChannelstreamError('disconnected', 'the page disconnected')

/** Reports an error of the page's code as uncaught, without interrupting the client. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}

/** Calls the page's code. Errors that it throws, or rejects with, are reported and stop nothing. */
export function guarded(call: () => unknown): void {
  try {
    const result = call()
    if (result instanceof Promise) result.catch(report)
  } catch (error) {
    report(error)
  }
}

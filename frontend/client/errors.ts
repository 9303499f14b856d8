/** Why something failed; docs/client.md says what each means. */
export type ErrorCode =
  | 'request'
  | 'unreachable'
  | 'timeout'
  | 'answer'
  | 'mutator'
  | 'settings'
  | 'closed'
  | 'disconnected'
  | 'frame'
  | 'overflow'

export interface ErrorDetails extends ErrorOptions {
  /** Of HTTP, or the close code of a WebSocket; 0 if there is none. */
  readonly status?: number
  /** What was answered: JSON as a value, anything else as text. */
  readonly answer?: unknown
}

/** Every error that the client itself gives. */
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

/** Tells the page of its own error, as if nobody had caught it, and goes on. */
export function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}

/** Calls code of the page. What it throws, also later, is reported and stops nothing. */
export function guarded(call: () => unknown): void {
  try {
    const result = call()
    if (result instanceof Promise) result.catch(report)
  } catch (error) {
    report(error)
  }
}

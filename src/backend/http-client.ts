/** What a client needs of HTTP: requests, with limits on time and size. */
import type { ClientErrorCode } from './error.ts'

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

export interface Bounds {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
}

export interface Reply {
  readonly status: number
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/** Sends requests to one server. */
export interface HttpClient {
  /**
   * Sends a request. Rejects with an {@link HttpFailure}, or with the reason of the signal. Does not follow redirects.
   */
  request(outgoing: Outgoing, bounds: Bounds): Promise<Reply>
  /** Closes every connection. Calling it is optional: idle connections do not keep the process alive. */
  close(): void
}

/** The reason why there is no {@link Reply}. */
export class HttpFailure extends Error {
  constructor(
    readonly code: ClientErrorCode,
    message: string,
    override readonly cause?: unknown,
  ) {
    super(message)
  }
}

export const timeoutFailure = (timeoutMs: number): HttpFailure =>
  new HttpFailure('TIMEOUT', `there was no answer within ${Math.ceil(timeoutMs)} ms`)

export const sizeFailure = (maxBytes: number): HttpFailure =>
  new HttpFailure('BAD_ANSWER', `the answer is larger than ${maxBytes} bytes`)

/** TLS errors that mean that it is not the right server. A retry would not help. */
const WRONG_SERVER = /CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^EPROTO|^UNABLE_TO/

/** Converts an error of Node.js. */
export function toFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error
  const cause = error as Error & { code?: unknown; rawPacket?: unknown }
  const code = typeof cause.code === 'string' ? cause.code : ''
  if (code.startsWith('HPE_')) {
    delete cause.rawPacket // the received bytes, which may contain an echo of the signature
    return new HttpFailure('BAD_ANSWER', `the answer is not HTTP (${code})`, cause)
  }
  const kind = WRONG_SERVER.test(code) ? 'BAD_ANSWER' : 'UNREACHABLE'
  return new HttpFailure(kind, cause.message || code, cause)
}

import { ERRORS } from '../protocol/errors.ts'
import type { Complaints } from '../protocol/complaints.ts'
import type { ErrorCode } from '../protocol/errors.ts'

/** What can go wrong on the way, beside what the server itself answers ({@link ERRORS}). Codes are forever. */
export const CLIENT_ERRORS = {
  UNREACHABLE: { retry: true, text: 'The server cannot be reached, or broke off.' },
  TIMEOUT: { retry: true, text: 'There was no answer in time.' },
  BAD_ANSWER: { retry: false, text: 'The answer is not one of a Channelstream server.' },
  HTTP_ERROR: { retry: false, text: 'Something on the way answered with an error.' },
} as const satisfies Record<string, { retry: boolean; text: string }>

export type ClientErrorCode = keyof typeof CLIENT_ERRORS

/** Answers of servers that are overloaded or away, and of proxies in front of them. */
const PASSING = new Set([429, 502, 503, 504])

/** Whether an answer says: not now. Such requests are repeated; other errors are for the caller to decide about. */
export const isPassing = (status: number | undefined): boolean => PASSING.has(status ?? 0)

export interface ErrorDetails {
  readonly status?: number | undefined
  readonly complaints?: Complaints | undefined
  readonly attempts: number
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** Why a call failed. Holds neither the secret nor a signature. */
export class ChannelstreamError extends Error {
  override readonly name = 'ChannelstreamError'
  /** The status of the answer; undefined if there was none. */
  readonly status: number | undefined
  /** What is wrong with the request, by field: of a 422, and of a body that was not JSON. */
  readonly complaints: Complaints | undefined
  /** How often the request was sent. */
  readonly attempts: number
  /** Milliseconds that the server asks to wait, by `Retry-After`; 0 if it says nothing. */
  readonly retryAfterMs: number

  constructor(
    /** One of `docs/errors.md`, or of {@link CLIENT_ERRORS}. */
    readonly code: ErrorCode | ClientErrorCode,
    message: string,
    { status, complaints, attempts, retryAfterMs = 0, cause }: ErrorDetails,
  ) {
    super(message, cause === undefined ? {} : { cause })
    this.status = status
    this.complaints = complaints
    this.attempts = attempts
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    const { retry } = { ...ERRORS, ...CLIENT_ERRORS }[this.code]
    return retry || isPassing(this.status)
  }
}

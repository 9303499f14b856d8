import { ERRORS } from '../protocol/errors.ts'
import type { Complaints } from '../protocol/complaints.ts'
import type { ErrorCode } from '../protocol/errors.ts'

/** Errors other than those that the server answers with ({@link ERRORS}). Codes never change. */
export const CLIENT_ERRORS = {
  UNREACHABLE: { retry: true, text: 'The server cannot be reached, or the connection was lost.' },
  TIMEOUT: { retry: true, text: 'The server did not answer in time.' },
  BAD_ANSWER: { retry: false, text: 'The answer is not from a Channelstream server.' },
  HTTP_ERROR: { retry: false, text: 'A proxy or another server answered with an error.' },
} as const satisfies Record<string, { retry: boolean; text: string }>

export type ClientErrorCode = keyof typeof CLIENT_ERRORS

/** Statuses of overloaded and stopped servers, and of proxies in front of them. */
const TRANSIENT = new Set([429, 502, 503, 504])

/** Whether the error is transient: the same request may succeed later. */
const isTransient = (status: number | undefined): boolean => TRANSIENT.has(status ?? 0)

/** Limits on users. Waiting would hide from the user that there is a limit, and calls would pile up. */
const OF_A_USER: ReadonlySet<string> = new Set<ErrorCode>([
  'TOO_MANY_CONNECTIONS',
  'TOO_MANY_CHANNELS',
  'TOO_MANY_MESSAGES',
])

/** Whether calls that fail with this error are repeated. */
export const isRepeated = ({
  code,
  status,
}: Pick<ChannelstreamError, 'code' | 'status'>): boolean => {
  const isLost = code === 'UNREACHABLE' || code === 'TIMEOUT'
  return isLost || (isTransient(status) && !OF_A_USER.has(code))
}

export interface ErrorDetails {
  readonly status?: number | undefined
  readonly complaints?: Complaints | undefined
  readonly attempts: number
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** The reason why a call failed. Contains neither the secret nor a signature. */
export class ChannelstreamError extends Error {
  override readonly name = 'ChannelstreamError'
  /** The status of the answer. Undefined if there was none. */
  readonly status: number | undefined
  /** Faults of the request by field: for a 422, and for a body that is not JSON. */
  readonly complaints: Complaints | undefined
  /** Number of attempts. */
  readonly attempts: number
  /** Milliseconds of the `Retry-After` header. 0 without this header. */
  readonly retryAfterMs: number

  constructor(
    /** A code of `docs/errors.md`, or of {@link CLIENT_ERRORS}. */
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
    return retry || isTransient(this.status)
  }
}

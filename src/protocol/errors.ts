/**
 * All errors that a request can be answered with. Codes never change. A test compares `docs/errors.md` with this table.
 *
 * `retry` is advice to callers: true if the same request may succeed later.
 */
import type { Complaints } from './complaints.ts'

export const ERRORS = {
  UNREADABLE: { status: 400, retry: false, text: 'The request cannot be read.' },
  NOT_JSON: { status: 400, retry: false, text: 'The body is not JSON in UTF-8.' },
  BAD_IDEMPOTENCY_KEY: {
    status: 400,
    retry: false,
    text: 'An Idempotency-Key must have 1 to 255 visible ASCII characters.',
  },
  BAD_SIGNATURE: { status: 401, retry: false, text: 'Bad Signature' },
  UNKNOWN_CONNECTION: { status: 401, retry: false, text: 'Unknown connection' },
  FORBIDDEN: { status: 403, retry: false, text: 'Forbidden' },
  /** The text is that of `FORBIDDEN`, as recorded. */
  ADDRESS_NOT_ALLOWED: { status: 403, retry: false, text: 'Forbidden' },
  FOREIGN_ORIGIN: { status: 403, retry: false, text: 'This origin is not allowed.' },
  NOT_FOUND: { status: 404, retry: false, text: 'Not Found' },
  HTTPS_REQUIRED: { status: 406, retry: false, text: 'This server requires https.' },
  OUTDATED_ID: {
    status: 410,
    retry: false,
    text: 'The server has lost the events from the time of this id.',
  },
  TOO_LARGE: { status: 413, retry: false, text: 'The body is too large.' },
  ENCODED_BODY: { status: 415, retry: false, text: 'The body must not be compressed.' },
  INVALID: { status: 422, retry: false, text: 'Some fields are invalid.' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: false,
    text: 'This Idempotency-Key was sent with another request.',
  },
  UPGRADE_REQUIRED: { status: 426, retry: false, text: 'This path accepts WebSockets only.' },
  TOO_MANY_CONNECTIONS: {
    status: 429,
    retry: true,
    text: 'The user has as many connections as allowed.',
  },
  TOO_MANY_CHANNELS: {
    status: 429,
    retry: true,
    text: 'The user would be in more channels than allowed.',
  },
  TOO_MANY_MESSAGES: {
    status: 429,
    retry: true,
    text: 'A user posts more messages than allowed.',
  },
  TOO_MANY_ATTEMPTS: { status: 429, retry: true, text: 'Too many attempts. Wait a minute.' },
  TOO_MANY_SOCKETS: {
    status: 429,
    retry: true,
    text: 'This address has too many sockets open. Try again.',
  },
  INTERNAL: { status: 500, retry: true, text: 'Internal error' },
  BUSY: { status: 503, retry: true, text: 'The server is busy. Try again.' },
  STORE_AWAY: { status: 503, retry: true, text: 'The store cannot be reached. Try again.' },
  SERVER_FULL: { status: 503, retry: true, text: 'The server is full. Try again.' },
  STOPPING: { status: 503, retry: true, text: 'The server is stopping.' },
} as const satisfies Record<string, { status: number; retry: boolean; text: string }>

export type ErrorCode = keyof typeof ERRORS

/** An error to answer a request with. `http/errors.ts` makes the answer. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  constructor(
    readonly code: ErrorCode,
    /** The body of the answer. Default: `{"request": <the text of the code>}`. */
    readonly complaints?: Complaints | readonly string[],
    /** After how many seconds the same request may succeed. */
    readonly retryAfterSeconds?: number,
  ) {
    super(ERRORS[code].text)
  }
}

/** Makes a 422 with complaints by field. */
export const invalid = (complaints: Complaints): RequestError =>
  new RequestError('INVALID', complaints)

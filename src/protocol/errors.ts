/**
 * Everything that can be wrong with a request. Codes are forever; `docs/errors.md` is tested against this table.
 *
 * `retry` is the advice to callers: true if the same request may succeed later.
 */
import type { Complaints } from './complaints.ts'

export const ERRORS = {
  UNREADABLE: { status: 400, retry: false, text: 'The request cannot be read.' },
  NOT_JSON: { status: 400, retry: false, text: 'The body is not JSON in UTF-8.' },
  BAD_IDEMPOTENCY_KEY: {
    status: 400,
    retry: false,
    text: 'An Idempotency-Key has 1 to 255 visible ASCII characters.',
  },
  BAD_SIGNATURE: { status: 401, retry: false, text: 'Bad Signature' },
  UNKNOWN_CONNECTION: { status: 401, retry: false, text: 'Unknown connection' },
  FORBIDDEN: { status: 403, retry: false, text: 'Forbidden' },
  FOREIGN_ORIGIN: { status: 403, retry: false, text: 'Pages of this origin may not listen here.' },
  NOT_FOUND: { status: 404, retry: false, text: 'Not Found' },
  HTTPS_REQUIRED: { status: 406, retry: false, text: 'This server is reached by https only.' },
  TOO_LARGE: { status: 413, retry: false, text: 'The body is too large.' },
  INVALID: { status: 422, retry: false, text: 'Some fields are not right.' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: false,
    text: 'This Idempotency-Key was sent with another request.',
  },
  UPGRADE_REQUIRED: { status: 426, retry: false, text: 'Open a WebSocket here.' },
  TOO_MANY_ATTEMPTS: { status: 429, retry: true, text: 'Too many attempts. Wait a minute.' },
  TOO_MANY_SOCKETS: {
    status: 429,
    retry: true,
    text: 'This address has too many sockets open. Try again.',
  },
  INTERNAL: { status: 500, retry: true, text: 'Internal error' },
  BUSY: { status: 503, retry: true, text: 'Too much is sent at once. Try again.' },
  STORE_AWAY: { status: 503, retry: true, text: 'The store cannot be reached. Try again.' },
  SERVER_FULL: { status: 503, retry: true, text: 'The server is full. Try again.' },
  STOPPING: { status: 503, retry: true, text: 'The server is stopping.' },
} as const satisfies Record<string, { status: number; retry: boolean; text: string }>

export type ErrorCode = keyof typeof ERRORS

/** Thrown by the core and the edges, translated into an answer in one place (`http/errors.ts`). */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  constructor(
    readonly code: ErrorCode,
    /** The body of the answer; left out: `{"request": <the text of the code>}`. */
    readonly complaints?: Complaints | readonly string[],
  ) {
    super(ERRORS[code].text)
  }
}

/** A 422 that names fields. */
export const invalid = (complaints: Complaints): RequestError =>
  new RequestError('INVALID', complaints)

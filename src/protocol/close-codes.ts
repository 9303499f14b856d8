/**
 * The reasons for which the server closes a WebSocket.
 *
 * 4000 to 4499: reconnect with the same conn_id and catch up. 4500 to 4999: do not reconnect. 1000 (recorded): the
 * server does not know the connection, or `/disconnect` ended it; request a new one from your backend.
 */
export interface CloseReason {
  readonly code: number
  readonly text: string
  /** In how many milliseconds the client should come back. The text says so too. */
  readonly retryAfterMs?: number
}

export const CLOSE = {
  ended: { code: 1000, text: 'connection ended' },
  unknownConnection: { code: 1000, text: 'unknown connection' },
  stopping: { code: 1012, text: 'server is restarting' },
  notPhilote: { code: 1007, text: 'not a Philote message' },
  refused: { code: 1008, text: 'refused' },
  tooManyMessages: { code: 1008, text: 'too many messages' },
  slowReader: { code: 4008, text: 'client reads too slowly' },
  unavailable: { code: 4013, text: 'try again later' },
  signedOut: { code: 4501, text: 'signed out' },
  notUnderstood: { code: 4507, text: 'not understood' },
  replaced: { code: 4509, text: 'opened elsewhere' },
} as const satisfies Record<string, CloseReason>

/** The longest reason of a close frame, in bytes of UTF-8 (RFC 6455, 5.5.1). */
export const MAX_REASON_BYTES = 123

/** The client should come back after this time. Programs may read it from the end of the text, in seconds. */
export const comingBackAfter = (reason: CloseReason, retryAfterMs: number): CloseReason => ({
  code: reason.code,
  text: `${reason.text}; retry-after=${(retryAfterMs / 1000).toFixed(2)}`,
  retryAfterMs,
})

/** `reason`: what the backend gave. */
export const endedBecause = (reason: string | undefined): CloseReason =>
  reason === undefined ? CLOSE.ended : { ...CLOSE.ended, text: reason }

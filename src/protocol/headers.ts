/** Names of headers that this protocol adds to HTTP, in lower case. */

/** The signature of a request. */
export const SIGNATURE_HEADER = 'x-channelstream-secret'

/** The error code (`docs/errors.md`) of an answer. It is not in the body, whose form is that of Channelstream 0.7.1. */
export const ERROR_HEADER = 'x-channelstream-error'

/** The idempotency key. A retry of a request has the same key. See {@link IDEMPOTENCY_KEY_FORM}. */
export const IDEMPOTENCY_HEADER = 'idempotency-key'

/** Keys are compared as they are, including quotes. The IETF draft requires quotes, but few callers send them. */
export const IDEMPOTENCY_KEY_FORM = /^[\x21-\x7e]{1,255}$/

/** On an answer that is a repeat of an earlier one. */
export const REPLAYED_HEADER = 'idempotency-replayed'

/** Header names of a request to a webhook. */
export const WEBHOOK_HEADERS = {
  /** Seconds since 1970, signed. */
  timestamp: 'x-channelstream-webhook-timestamp',
  /** HMAC-SHA256 in hex of time, path and body, one for each secret, separated by commas. */
  signature: 'x-channelstream-webhook-signature',
} as const

/** Names of headers that this protocol adds to HTTP, in small letters. */

/** What a backend signs its requests with. */
export const SIGNATURE_HEADER = 'x-channelstream-secret'

/** Tells which of `docs/errors.md` an answer is, since bodies keep the form that Channelstream gave them. */
export const ERROR_HEADER = 'x-channelstream-error'

/** Tells that two requests are one request, sent twice; see {@link IDEMPOTENCY_KEY_FORM}. */
export const IDEMPOTENCY_HEADER = 'idempotency-key'

/** Compared as it stands, quotes and all: the draft of the IETF has them, and few callers send them. */
export const IDEMPOTENCY_KEY_FORM = /^[\x21-\x7e]{1,255}$/

/** On an answer that was given before. */
export const REPLAYED_HEADER = 'idempotency-replayed'

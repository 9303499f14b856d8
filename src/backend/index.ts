/** A typed client for backends. Published as `channelstream/backend`. */
export { Channelstream } from './channelstream.ts'
export { CLIENT_ERRORS, ChannelstreamError } from './error.ts'
export { readWebhook } from './webhooks.ts'
export type { ReadWebhookOptions, ReceivedWebhook } from './webhooks.ts'
export type { CallOptions } from './caller.ts'
export type { ChannelstreamOptions, TlsOptions } from './options.ts'
export type { ClientErrorCode } from './error.ts'
export type * from './types.ts'

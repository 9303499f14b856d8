/** A typed client for Node backends. Published as `channelstream/backend`. */
export { Channelstream } from './channelstream.ts'
export { CLIENT_ERRORS, ChannelstreamError } from './error.ts'
export type { CallOptions } from './caller.ts'
export type { ChannelstreamOptions } from './options.ts'
export type { ClientErrorCode } from './error.ts'

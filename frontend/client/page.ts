/** The client for pages, without the signer: what signs has the secret of the server, and belongs into no page. */
export {
  ChannelstreamConnection,
  ChannelstreamConnection as ChannelStreamConnection,
} from './connection.ts'
export { ChannelstreamError } from './errors.ts'
export type { QueueOptions } from './connection.ts'
export type { ErrorCode } from './errors.ts'
export type { ListenOptions } from './emitter.ts'
export type { ConnectionOptions, MutatorType } from './settings.ts'
export type { ChannelstreamRequest, Mutator, RequestHeader } from './request.ts'
export type { Credentials, Fetch, WebSocketClass, WebSocketLike } from './transport.ts'
export type * from './events.ts'

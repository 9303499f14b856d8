/** The client as `channelstream/client` and `channelstream-client` export it (docs/client.md). */
export * from './page.ts'
export { ChannelstreamSigner, ChannelstreamSigner as ChannelStreamSigner } from './signer.ts'

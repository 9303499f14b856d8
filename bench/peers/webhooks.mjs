/** This server, which tells a webhook every message. */
import { missing, running, startChannelstream } from './channelstream.mjs'
import { nodePeer } from './node-peer.mjs'

export const WEBHOOKS = {
  name: 'channelstream-webhooks',
  about: 'this server with a webhook that is told every message, beside the load generator',
  missing,
  /** @param {import('./peer.mjs').Place} place */
  async start(place) {
    const [core = place.core] = place.besides ?? []
    const receiver = await nodePeer({ ...place, core }, 'webhook.mjs')
    const server = await startChannelstream(place, {
      'webhook-url': `http://127.0.0.1:${receiver.port}/`,
      'webhook-events': 'message',
    })
    return {
      ...running({ port: server.port, pids: [server.pid] }, place.load),
      stop: async () => {
        await server.stop()
        await receiver.stop()
      },
    }
  },
}

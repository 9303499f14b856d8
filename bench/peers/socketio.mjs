/** socket.io: a room per channel (servers/socketio.mjs). */
import { packageUrl } from '../lib/packages.mjs'
import { channelName } from '../lib/requests.mjs'
import { nodePeer } from './node-peer.mjs'

export const name = 'socket.io'
export const about = 'socket.io 4, one room per channel'

export const missing = () =>
  packageUrl('socket.io')
    ? undefined
    : 'the package socket.io is not installed (run npm install, or set BENCH_PEERS to a directory that has it)'

const CONNECT = '40'
const pathOf = (channel) => `/socket.io/?EIO=4&transport=websocket&channel=${channel}`

/** @param {import('./peer.mjs').Place} place */
export async function start(place) {
  const peer = await nodePeer(place, 'socketio.mjs', packageUrl('socket.io'))
  return {
    ...peer,
    hello: CONNECT,
    ready: CONNECT,
    paths: (count, channels) =>
      Array.from({ length: count }, (_, i) => pathOf(channelName(i % channels))),
    churnSteps: [['open', pathOf('c00000')], ['text', CONNECT], ['close']],
  }
}

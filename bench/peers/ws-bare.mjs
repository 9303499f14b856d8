/** Plain `ws`: send() in a loop (servers/ws-bare.mjs). */
import { packageUrl } from '../lib/packages.mjs'
import { nodePeer } from './node-peer.mjs'

export const name = 'ws'
export const about = '`ws`, send() in a loop'

export const missing = () => (packageUrl('ws') ? undefined : 'the package ws is not installed')

/** @param {import('./peer.mjs').Place} place */
export async function start(place) {
  const peer = await nodePeer(place, 'ws-bare.mjs', packageUrl('ws'))
  return { ...peer, churnSteps: [['open', '/listen/c00000'], ['close']] }
}

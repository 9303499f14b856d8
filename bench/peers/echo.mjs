/** The yardstick for publishes: node:http that answers what it was sent (servers/echo.mjs). */
import { nodePeer } from './node-peer.mjs'
import { requests } from './channelstream.mjs'

export const name = 'node:http'
export const about = 'bare node:http that echoes the body'

export const missing = () => undefined

/** @param {import('./peer.mjs').Place} place */
export const start = async (place) => ({
  ...(await nodePeer(place, 'echo.mjs')),
  ...requests,
  secret: 'any',
})

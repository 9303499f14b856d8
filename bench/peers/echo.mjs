/**
 * The yardsticks for publishes: servers that answer what they were sent, and do nothing else.
 *
 * The first of them does not look into it. The others show what part of the distance to it is that of reading and
 * writing JSON, which every server of this API has to do, and that of the framework.
 */
import { requests } from './channelstream.mjs'
import { nodePeer } from './node-peer.mjs'

const echo = (name, about, script) => ({
  name,
  about,
  missing: () => undefined,
  /** @param {import('./peer.mjs').Place} place */
  start: async (place) => ({ ...(await nodePeer(place, script)), ...requests, secret: 'any' }),
})

/** In the order of the columns. */
export const ECHOES = [
  echo('node:http', 'bare node:http that echoes the body', 'echo.mjs'),
  echo('node:http+JSON', 'the same, that reads JSON and writes it again', 'echo-json.mjs'),
  echo('Fastify', 'bare Fastify that does so', 'echo-fastify.mjs'),
]

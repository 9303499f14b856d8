/**
 * The baselines for publishing: servers that only echo the request body.
 *
 * The first does not parse the body. The others show the cost of parsing and serializing JSON, which every server of
 * this API has to pay, and the cost of the framework.
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
  echo('node:http+JSON', 'the same, but parses the JSON and serializes it again', 'echo-json.mjs'),
  echo('Fastify', 'bare Fastify that does the same', 'echo-fastify.mjs'),
]

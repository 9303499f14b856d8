/** This server by its Philote port: publishes and subscribes on Philote sockets, in the process of the REST API. */
import { SignJWT } from 'jose'
import { freePort } from '../lib/processes.mjs'
import { CHANNEL, channelName, frame, payload } from '../lib/requests.mjs'
import { missing as missingServer, startChannelstream } from './channelstream.mjs'

export const name = 'philote'
export const about =
  'this server, by its Philote port: publishers and subscribers are Philote clients'

export const missing = missingServer

const SECRET = 'a secret of the bench, thirty-two bytes'

/** @param {import('./peer.mjs').Place} place */
export async function start(place) {
  const philotePort = await freePort()
  const settings = {
    'philote-port': philotePort,
    'philote-secret': SECRET,
    'philote-max-connections': 1_000_000,
    'philote-max-messages-per-second': 0,
  }
  const server = await startChannelstream(place, settings)
  const readers = new Map()
  let channelCount = 1
  return {
    port: philotePort,
    pids: [server.pid],
    prepare: async (_count, channels) => {
      channelCount = channels
      for (let index = 0; index < channels; index++)
        readers.set(index, await pathFor({ read: [channelName(index)] }))
    },
    paths: (count, channels) =>
      Array.from({ length: count }, (_, index) => readers.get(index % channels)),
    publishOn: () =>
      pathFor({ write: Array.from({ length: channelCount }, (_, i) => channelName(i)) }),
    publishRequest: ({ filler }) =>
      frame(JSON.stringify({ channel: CHANNEL, data: payload(filler) })),
    stop: server.stop,
  }
}

const pathFor = async (claims) =>
  `/?auth=${await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET))}`

/** Common code of the peers that run on Node: starts a server from servers/, which prints its port. */
import { fileURLToPath } from 'node:url'
import { startServer } from '../lib/processes.mjs'
import { CHANNEL, channelName, payload, post } from '../lib/requests.mjs'

/**
 * @param {import('./peer.mjs').Place} place
 * @param {string} script in servers/
 * @param {readonly string[]} args
 */
export async function nodePeer({ core }, script, ...args) {
  const path = fileURLToPath(new URL(`servers/${script}`, import.meta.url))
  const ready = /listening on (\d+)/
  const server = await startServer([process.execPath, path, ...args], { core, ready })
  return {
    port: Number(server.match[1]),
    pids: [server.pid],
    paths: (count, channels) =>
      Array.from({ length: count }, (_, i) => `/listen/${channelName(i % channels)}`),
    publishRequest: ({ filler }) => post(`/publish/${CHANNEL}`, payload(filler)),
    stop: server.stop,
  }
}

/** The baseline: a C server that only calls write(), once per delivery (../load/floor.c). */
import { startServer } from '../lib/processes.mjs'
import { CHANNEL, channelName, payload, post } from '../lib/requests.mjs'

export const name = 'write-loop'
export const about = 'C loop with one write() per delivery'

export const missing = () => undefined

/** @param {import('./peer.mjs').Place} place */
export const start = (place) => startFloor(place, [])

/** With `gather`, all messages of an event-loop turn go out in one write() per socket. */
export async function startFloor({ core, programs }, args) {
  const ready = /listening on (\d+)/
  const server = await startServer([programs.floor, ...args], { core, ready })
  return {
    port: Number(server.match[1]),
    pids: [server.pid],
    paths: (count, channels) =>
      Array.from({ length: count }, (_, i) => `/listen/${channelName(i % channels)}`),
    publishRequest: ({ filler }) => post(`/publish/${CHANNEL}`, payload(filler)),
    churnSteps: [['open', `/listen/${channelName(0)}`], ['close']],
    stop: server.stop,
  }
}

/** This server, or another one with the same API given by `--url`, such as the Python one. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startServer } from '../lib/processes.mjs'
import {
  CHANNEL,
  NUMBER,
  SIGNATURE,
  channelName,
  numberText,
  payload,
  post,
} from '../lib/requests.mjs'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
/** The flags of `npm start`. */
const FLAGS = scripts.start.split(' ').filter((word) => word.startsWith('--'))
export const SECRET = 'a secret of the bench'
const CONNECTS_AT_ONCE = 32

export const name = 'channelstream'
export const about = 'this server, with the flags of `npm start`'

export const missing = () =>
  existsSync(MAIN) ? undefined : 'dist/main.js is missing: npm run build'

/** @param {import('./peer.mjs').Place} place */
export async function start(place) {
  const { port, pid, stop } = await startChannelstream(place)
  return { ...running({ port, pids: [pid] }, place.load), stop }
}

/**
 * Starts a server on a free port, with additional settings.
 *
 * @param {import('./peer.mjs').Place} place
 * @param {Record<string, string | number>} [settings] named like flags
 */
export async function startChannelstream({ core, nodeFlags = [] }, settings = {}) {
  const more = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const args = ['--host', '127.0.0.1', '--port', '0', '--log-level', 'error']
  // On slow machines, the first connections must not expire before `/connect` of the last one is done.
  const keepConnections = ['--gc-conns-after', '900']
  const server = await startServer(
    [process.execPath, ...FLAGS, ...nodeFlags, MAIN, ...args, ...keepConnections, ...more],
    {
      core,
      ready: /listens on http:\/\/127\.0\.0\.1:(\d+)/,
      env: { CHANNELSTREAM_SECRET: SECRET },
    },
  )
  return { port: Number(server.match[1]), pid: server.pid, stop: server.stop }
}

/**
 * A server that is already running. It is not pinned. Its CPU and memory are measured only if `pids` is given.
 *
 * @param {{ name: string, port: number, secret: string, pids: number[] }} server
 */
export const runningPeer = (server) => ({
  name: server.name,
  about: `a server with the API of Channelstream, on port ${server.port}`,
  missing: () => undefined,
  start: async ({ load }) => ({ ...running(server, load), stop: async () => {} }),
})

/**
 * What the bench needs from a server with this API.
 *
 * @param {{ port: number | string, pids: number[], secret?: string }} server
 * @param {(options: object) => Promise<any>} load
 */
export const running = ({ port, pids, secret = SECRET }, load) => ({
  port,
  pids,
  secret,
  ...requests,
  /** Connection i is in channel i % channels, in the order of numbered requests. */
  prepare: (count, channels) =>
    load({ port, secret, publishers: CONNECTS_AT_ONCE, channels, count, request: announcement }),
  paths: (count) => Array.from({ length: count }, (_, i) => socketPath(numberText(i))),
})

export const signed = (path, body) =>
  post(path, JSON.stringify(body), { 'x-channelstream-secret': SIGNATURE })
export const connId = (number) => `00000000-0000-4000-8000-${number}`
export const socketPath = (number) => `/ws?conn_id=${connId(number)}`

const connection = { username: `user-${NUMBER}`, conn_id: connId(NUMBER), channels: [CHANNEL] }
/** Without the user list of the channel, which grows with each connection. */
const announcement = signed('/connect', {
  ...connection,
  info: { include_users: false, include_history: false },
})

/** The requests to this server. The echo peers get the same ones. */
export const requests = {
  connectRequest: signed('/connect', connection),
  publishRequest: ({ filler, messages = 1 }) =>
    signed(
      '/message',
      Array.from({ length: messages }, () => ({
        user: 'bench',
        channel: CHANNEL,
        message: { text: payload(filler) },
      })),
    ),
  churnSteps: [
    ['http', signed('/connect', connection)],
    ['open', socketPath(NUMBER)],
    ['http', signed('/subscribe', { conn_id: connId(NUMBER), channels: [channelName(99_999)] })],
    ['close'],
  ],
}

/**
 * All peers. A peer exports `name`, `about`, `start(place)`, and `missing()`, which returns why it cannot run here, or
 * undefined.
 *
 * @typedef {object} Place
 * @property {number} core the core to pin servers to
 * @property {number[]} [besides] cores for processes beside it: a Redis, a second server
 * @property {{ load: string, floor: string }} programs
 * @property {(options: object) => Promise<any>} load runs the load generator
 * @property {string[]} [nodeFlags] flags of `node`, to profile this server
 *
 * @typedef {object} Running
 * @property {number | string} port for publishers; several servers are used in turn: `8001,8002`
 * @property {string} [listenPort] ports for subscribers; by default the same as `port`
 * @property {number[]} [beside] processes whose CPU is reported separately
 * @property {number[]} pids the server's processes, for CPU and memory
 * @property {(count: number, channels: number) => string[]} paths of the WebSockets; the i-th is in channel i %
 * channels
 * @property {(message: { filler: number, messages?: number }) => string} publishRequest see lib/requests.mjs
 * @property {() => Promise<string>} [publishOn] the path of a WebSocket to publish on; by default HTTP
 * @property {() => Promise<number>} [redisBytes] memory that Redis uses
 * @property {() => Promise<void>} stop
 * @property {(count: number, channels: number) => Promise<any>} [prepare] must be called before opening WebSockets
 * @property {string} [connectRequest] the `/connect` request, if the peer has one
 * @property {readonly (readonly string[])[]} [churnSteps] the steps of a short-lived client, see load/churn.c
 * @property {string} [secret] the secret that signs requests
 * @property {string} [hello] the first frame that clients send
 * @property {string} [ready] the prefix of the frame after which a client is ready
 */
import * as channelstream from './channelstream.mjs'
import { DISK } from './disk.mjs'
import { ECHOES } from './echo.mjs'
import { EVENT_STREAMS } from './event-streams.mjs'
import * as nchan from './nchan.mjs'
import * as philote from './philote.mjs'
import { ON_REDIS } from './redis.mjs'
import * as socketio from './socketio.mjs'
import { WEBHOOKS } from './webhooks.mjs'
import * as writeGather from './write-gather.mjs'
import * as writeLoop from './write-loop.mjs'
import * as wsBare from './ws-bare.mjs'

/** In the order of the columns. */
export const PEERS = [
  ...[writeLoop, writeGather, channelstream, ...ON_REDIS, philote, nchan, wsBare, socketio],
  ...EVENT_STREAMS,
  WEBHOOKS,
  DISK,
  ...ECHOES,
]

/**
 * Every peer that the bench knows. A peer exports `name`, `about`, `missing()`, which answers why it cannot run here, and
 * `start(place)`.
 *
 * @typedef {object} Place
 * @property {number} core the processor to keep to
 * @property {number[]} [besides] processors for what runs beside it: a Redis, a second server
 * @property {{ load: string, floor: string }} programs
 * @property {(options: object) => Promise<any>} load runs the load generator
 * @property {string[]} [nodeFlags] for `node`, to profile this server
 *
 * @typedef {object} Running
 * @property {number | string} port of several servers, which publishers take in turns: `8001,8002`
 * @property {string} [listenPort] of those where subscribers are; left out: the same
 * @property {number[]} [beside] processes whose CPU is told beside that of the server
 * @property {number[]} pids whose CPU and memory are the server's
 * @property {(count: number, channels: number) => string[]} paths of the WebSockets; the i-th is in channel i % channels
 * @property {(message: { filler: number, messages?: number }) => string} publishRequest see lib/requests.mjs
 * @property {() => Promise<string>} [publishOn] the path of a WebSocket to publish on; left out: over HTTP
 * @property {() => Promise<number>} [redisBytes] memory that the data in Redis take
 * @property {() => Promise<void>} stop
 * @property {(count: number, channels: number) => Promise<any>} [prepare] to be called before these may be opened
 * @property {string} [connectRequest] the request that announces a connection, if there is such a thing
 * @property {readonly (readonly string[])[]} [churnSteps] a client that comes and goes, see load/churn.c
 * @property {string} [secret] what requests are signed with
 * @property {string} [hello] what clients send first
 * @property {string} [ready] how the frame begins after which a client is there
 */
import * as channelstream from './channelstream.mjs'
import { ECHOES } from './echo.mjs'
import * as nchan from './nchan.mjs'
import * as philote from './philote.mjs'
import { ON_REDIS } from './redis.mjs'
import * as socketio from './socketio.mjs'
import * as writeGather from './write-gather.mjs'
import * as writeLoop from './write-loop.mjs'
import * as wsBare from './ws-bare.mjs'

/** In the order of the columns. */
export const PEERS = [
  ...[writeLoop, writeGather, channelstream, ...ON_REDIS, philote, nchan, wsBare, socketio],
  ...ECHOES,
]

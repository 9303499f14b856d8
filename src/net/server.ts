import { createServer } from 'node:http'
import { bytesOf, sendLast } from './answers.ts'
import { isWellFormed } from './messages.ts'
import { PacedResponse, limitPipelines } from './pipelines.ts'
import { cutIdle, windUp } from './unread.ts'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { PlainAnswer } from './answers.ts'
import type { NetLog } from './refusals.ts'
import type { SocketLimits } from './socket-limits.ts'

export interface ServerParts {
  /** `IncomingMessage` has to be a class of `requestsWithUpgrades`: malformed upgrades are refused too, and pipelines limited. */
  readonly options: ServerOptions & Required<Pick<ServerOptions, 'IncomingMessage'>>
  readonly handler: RequestListener
  readonly limits: SocketLimits
  /** The answer to what no handler gets, by its status: 400, 408, 413, 417, 429, 431 or 503. */
  readonly refusal: (status: number) => PlainAnswer
  readonly log: Pick<NetLog, 'debug'>
}

/** Heads and bodies that come in drops are cut off, so that idle clients cannot use up the server's sockets. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECK_MS = 2_000

/** An HTTP server as both ports have it: limited sockets, and one answer to what is no proper HTTP. Does not listen yet. */
export function openServer({ options, handler, limits, refusal, log }: ServerParts): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // Node answers without a body, and does not look at upgrades.
      requireHostHeader: false,
      ServerResponse: PacedResponse,
      ...options,
    },
    (request, response) => {
      if (isWellFormed(request)) handler(request, response)
      else sendLast(response, refusal(400))
    },
  )
  server.on('checkExpectation', (request, response) =>
    sendLast(response, refusal(isWellFormed(request) ? 417 : 400)),
  )
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const { code } = error
    const status = CLIENT_ERROR_STATUS[code ?? ''] ?? 400
    const letGo = (): void => {
      // The error itself holds bytes of the request, which may be a signature.
      log.debug({ code, status }, 'a connection is closed: what came is not HTTP, or too slow')
      if (code === 'ECONNRESET' || !socket.writable) socket.destroy(error)
      else socket.end(bytesOf(refusal(status)), () => socket.destroy())
    }
    // Node looks for those that are too slow every few seconds, and finds all of them at once.
    if (code === TOO_SLOW) windUp(letGo)
    else letGo()
  })
  server.on('timeout', cutIdle)
  // Before the sockets are counted: one that Node gets back is not new.
  limitPipelines(server)
  // None is left out unseen, such as a second `Host`: their size is limited, and with it their number.
  server.maxHeadersCount = 0
  limits.guard(server, refusal)
  return server
}

const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT'
const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  [TOO_SLOW]: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

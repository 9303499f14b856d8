import { createServer } from 'node:http'
import { bytesOf, sendLast } from './answers.ts'
import { isWellFormed } from './messages.ts'
import { PacedResponse, limitPipelines } from './pipelines.ts'
import { noteUnixPeers } from './unix-peers.ts'
import { destroyIdle, runPaced } from './unread.ts'
import type { RequestListener, Server, ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { PlainAnswer } from './answers.ts'
import type { NetLog } from './refusals.ts'
import type { SocketLimits } from './socket-limits.ts'

export interface ServerDeps {
  /**
   * `IncomingMessage` must be a class of `requestsWithUpgrades`. Otherwise malformed upgrades are not refused and
   * pipelines are not limited.
   */
  readonly options: ServerOptions & Required<Pick<ServerOptions, 'IncomingMessage'>>
  readonly handler: RequestListener
  readonly limits: SocketLimits
  /** Returns the answer, by status, to requests that no handler gets: 400, 408, 413, 417, 429, 431 or 503. */
  readonly refusal: (status: number) => PlainAnswer
  readonly log: Pick<NetLog, 'debug'>
}

/** Headers and bodies that arrive too slowly are cut off, so that idle clients cannot use up the server's sockets. */
export const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const TIMEOUT_CHECK_MS = 2_000

/**
 * Creates an HTTP server for either port, with limited sockets and one kind of answer to malformed HTTP. It does not
 * listen yet.
 */
export function openServer({ options, handler, limits, refusal, log }: ServerDeps): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // Node would answer without a body, and does not check upgrades.
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
    const refuseClient = (): void => {
      // The error itself contains bytes of the request, possibly a signature.
      log.debug({ code, status }, 'a connection is closed: what came is not HTTP, or too slow')
      if (code === 'ECONNRESET' || !socket.writable) socket.destroy(error)
      else socket.end(bytesOf(refusal(status)), () => socket.destroy())
    }
    // Node checks for slow requests every few seconds and finds all of them at once.
    if (code === REQUEST_TIMEOUT) runPaced(refuseClient)
    else refuseClient()
  })
  server.on('timeout', destroyIdle)
  noteUnixPeers(server)
  // Before sockets are counted: a socket that returns to Node is not a new one.
  limitPipelines(server)
  // No limit: Node would silently drop headers, such as a second `Host`. Their total size is limited, and so is their
  // number.
  server.maxHeadersCount = 0
  limits.guard(server, refusal)
  return server
}

const REQUEST_TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT'
const CLIENT_ERROR_STATUS: Readonly<Record<string, number>> = {
  [REQUEST_TIMEOUT]: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

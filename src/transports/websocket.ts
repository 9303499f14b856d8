import { WebSocket, WebSocketServer } from 'ws'
import { CLOSE } from '../protocol/close-codes.ts'
import { HEARTBEAT, listFrames } from './websocket-frames.ts'
import { ErrorResponse, InvalidResponse } from '../protocol/responses.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { WebSocketQuery } from '../protocol/requests.ts'
import { checkOrigin, cursorOf } from './opening.ts'
import { complaint } from '../protocol/complaints.ts'
import { parseConnId } from '../protocol/ids.ts'
import type { Admission } from './opening.ts'
import type { Batch } from '../core/batch.ts'
import type { CloseReason } from '../protocol/close-codes.ts'
import type { ConnId, Cursor } from '../protocol/ids.ts'
import type { Duplex } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import type { IncomingMessage, Server } from 'node:http'
import type { ServerOptions } from 'ws'
import type { LiveConnection, Sink } from '../core/connection.ts'
import type { Sessions } from '../core/sessions.ts'

export interface WebSocketOptions {
  readonly sessions: Sessions
  readonly admit: Admission
  readonly origins: { refuses(origin: string | undefined): boolean }
  /** The bytes that refuse a handshake because of an error. */
  readonly refusal: (error: unknown) => string
  /** Biggest frame that a client may send; a bigger one closes the socket with 1009. */
  readonly maxFrameBytes: number
  /** Frames that a client may send between two heartbeats; 0 for no limit. */
  readonly maxFramesPerHeartbeat: number
  readonly onFault: (error: unknown) => void
}

export interface WebSockets {
  /** Cuts every socket that is still open, without a close frame. */
  terminate(): void
}

/** How long a client may take to answer a close before the socket is cut. */
const CLOSE_TIMEOUT_MS = 3_000

/**
 * `GET /ws?conn_id=…[&cursor=…]`. An unknown connection is closed with 1000 (recorded: ws-unknown-connection); what is
 * no conn_id or no cursor is a refused handshake (422).
 */
export function mountWebSocket(server: Server, options: WebSocketOptions): WebSockets {
  const settings: ServerOptions<typeof ClientSocket> & { closeTimeout: number } = {
    noServer: true,
    WebSocket: ClientSocket,
    maxPayload: options.maxFrameBytes,
    perMessageDeflate: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
  }
  const sockets = new WebSocketServer(settings)
  sockets.on('wsClientError', (_error, socket) =>
    refuse(socket, options.refusal(new RequestError('UNREADABLE'))),
  )
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', socketOnError)
    try {
      const { connId, cursor } = readOpening(request, options)
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off('error', socketOnError)
        void serve(new WebSocketSink(webSocket, socket, options), connId, cursor)
      })
    } catch (error) {
      refuse(socket, options.refusal(error))
    }
  })
  return { terminate: () => sockets.clients.forEach((client) => client.terminate()) }
}

/** The same path for requests that are no upgrade, and for the documentation. */
export const webSocketRoute: FastifyPluginAsync = async (http) => {
  http.get('/ws', {
    schema: {
      tags: ['Client API'],
      summary: 'Listen by WebSocket',
      description:
        'Each event is a frame of its own, a list with one element; an empty list is a heartbeat. ' +
        'Whatever the client sends is a sign of life only.',
      querystring: WebSocketQuery,
      response: {
        403: ErrorResponse.describe('Pages of this origin may not listen.'),
        422: InvalidResponse.describe('conn_id or cursor is not right.'),
        426: ErrorResponse.describe('The request does not ask for a WebSocket.'),
      },
    },
    handler(_request, reply) {
      void reply.header('upgrade', 'websocket')
      throw new RequestError('UPGRADE_REQUIRED')
    },
  })
}

function readOpening(request: IncomingMessage, { admit, origins }: WebSocketOptions) {
  const [path, ...query] = admit(request).url.split('?')
  if (path !== '/ws') throw new RequestError('NOT_FOUND')
  const searchParams = new URLSearchParams(query.join('?'))
  checkOrigin(origins, request.headers.origin)
  const connId = parseConnId(searchParams.get('conn_id') ?? '')
  if (!connId) throw invalid(complaint(['conn_id'], 'Not a valid UUID.'))
  return { connId, cursor: cursorOf(searchParams.get('cursor')) }
}

/** Nothing else watches over a socket that was refused: it goes as soon as its answer has left. */
function refuse(socket: Duplex, answer: string): void {
  socket.once('finish', () => socket.destroy())
  socket.end(answer)
}

/** The peer went away during the handshake: nobody is left to tell. */
function socketOnError(this: Duplex): void {
  this.destroy()
}

async function serve(
  sink: WebSocketSink,
  connId: ConnId,
  cursor: Cursor | undefined,
): Promise<void> {
  try {
    await sink.attach(connId, cursor)
  } catch (error) {
    sink.options.onFault(error)
    sink.close(CLOSE.unavailable)
  }
}

/** The code that `ws` gives a close without a close frame: the peer broke off. (1005 is a frame without a code.) */
const BROKE_OFF = 1006

/** A socket that knows its sink, so that its listeners need not be closures, of which there would be five a socket. */
class ClientSocket extends WebSocket {
  sink: WebSocketSink | undefined
}

class WebSocketSink implements Sink {
  readonly kind = 'stream'
  #connection: LiveConnection | undefined
  #closedWith: number | undefined
  /** Frames from the client since the last heartbeat. */
  #received = 0

  constructor(
    private readonly webSocket: ClientSocket,
    /** The connection under `webSocket`: ready frames are written to it as they are. */
    private readonly socket: Duplex,
    readonly options: WebSocketOptions,
  ) {
    webSocket.sink = this
    webSocket.on('message', webSocketOnFrame)
    webSocket.on('ping', webSocketOnFrame)
    webSocket.on('pong', webSocketOnFrame)
    webSocket.on('close', webSocketOnClose)
    webSocket.on('error', webSocketOnError)
  }

  async attach(connId: ConnId, cursor: Cursor | undefined): Promise<void> {
    const attached = await this.options.sessions.attach(connId, this, cursor)
    if (attached.outcome === 'unknown') return this.close(CLOSE.unknownConnection)
    if (attached.outcome !== 'attached') return
    this.#connection = attached.connection
    if (this.#closedWith !== undefined) this.closed(this.#closedWith)
  }

  get writable(): boolean {
    return !this.socket.writableNeedDrain
  }

  get held(): number {
    return this.socket.writableLength
  }

  send(batch: Batch): void {
    this.#write(batch.bytes(listFrames))
  }

  heartbeat(): void {
    this.#received = 0
    if (this.writable) this.#write(HEARTBEAT)
  }

  close({ code, text }: CloseReason): void {
    this.webSocket.close(code, text)
  }

  abandon(): void {
    this.webSocket.terminate()
  }

  /** What was written may be on its way: nothing is known of it. */
  release(): undefined {
    return undefined
  }

  /** A frame came from the client. What it says does not matter: it is a sign of life. */
  heard(): void {
    const { sessions, maxFramesPerHeartbeat } = this.options
    const current = this.#connection?.sink === this ? this.#connection : undefined
    if (current) sessions.seen(current)
    if (maxFramesPerHeartbeat === 0 || ++this.#received <= maxFramesPerHeartbeat) return
    if (current) sessions.expel(current, CLOSE.tooManyMessages)
    else this.close(CLOSE.tooManyMessages)
  }

  closed(code: number): void {
    this.#closedWith = code
    if (this.#connection)
      this.options.sessions.lost(this.#connection, this, code === BROKE_OFF ? 'broke-off' : 'left')
  }

  #write(bytes: Buffer): void {
    if (this.webSocket.readyState !== WebSocket.OPEN) return
    if (!this.socket.write(bytes)) this.socket.once('drain', () => this.#drained())
  }

  #drained(): void {
    if (this.#connection) this.options.sessions.drained(this.#connection, this)
  }
}

function webSocketOnFrame(this: WebSocket): void {
  ;(this as ClientSocket).sink?.heard()
}

function webSocketOnClose(this: WebSocket, code: number): void {
  ;(this as ClientSocket).sink?.closed(code)
}

/** A frame that breaks the protocol, or a socket that broke: `ws` ends it, and `close` follows. */
function webSocketOnError(): void {}

import { inBackground } from '../lib/in-background.ts'
import { destroyOnError } from '../net/destroy-on-error.ts'
import { isWaiting } from '../net/pipelines.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { complaint } from '../protocol/complaints.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { parseConnId } from '../protocol/ids.ts'
import { WebSocketQuery } from '../protocol/requests.ts'
import { errorAnswer, invalidAnswer } from '../protocol/responses.ts'
import { BROKE_OFF, FrameSocket, Handshakes, refuseUpgrade } from './frame-socket.ts'
import { checkOrigin, cursorOf } from './opening.ts'
import { HEARTBEAT, listFrames } from './websocket-frames.ts'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import type { Batch } from '../core/delivery/batch.ts'
import type { LiveConnection } from '../core/delivery/connection.ts'
import type { Sessions } from '../core/sessions/sessions.ts'
import type { ConnId, Cursor } from '../protocol/ids.ts'
import type { Admission } from './opening.ts'

/** Answers a handshake. Rejects with why it is refused. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>

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
  /** Who answers on other paths. */
  readonly others?: ReadonlyMap<string, Upgrade>
  readonly onFault: (error: unknown) => void
}

export interface WebSockets {
  /** Cuts every socket that is still open, without a close frame. */
  terminate(): void
}

/**
 * `GET /ws?conn_id=…[&cursor=…]`. An unknown connection is closed with 1000 (recorded: ws-unknown-connection); what is
 * no conn_id or no cursor is a refused handshake (422).
 */
export function mountWebSocket(server: Server, options: WebSocketOptions): WebSockets {
  const handshakes = new Handshakes({
    maxFrameBytes: options.maxFrameBytes,
    refusal: () => options.refusal(new RequestError('UNREADABLE')),
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isWaiting(request)) return
    socket.on('error', destroyOnError)
    const refuse = (error: unknown): void => refuseUpgrade(socket, options.refusal(error))
    try {
      const { url } = options.admit(request)
      const other = options.others?.get(url.split('?', 1)[0] ?? url)
      if (other)
        return void other(request, socket, head).catch((error: unknown) => {
          if (!(error instanceof RequestError)) options.onFault(error)
          refuse(error)
        })
      const { connId, cursor } = readOpening(request, url, options.origins)
      const sink = new WebSocketSink(options)
      if (handshakes.accept({ request, socket, head }, sink)) {
        inBackground(serve(sink, connId, cursor), options.onFault)
      }
    } catch (error) {
      refuse(error)
    }
  })
  return handshakes
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
        403: errorAnswer('FOREIGN_ORIGIN', 'Pages of this origin may not listen.'),
        422: invalidAnswer('conn_id or cursor is not right.', { cursor: ['Not a valid cursor.'] }),
        426: errorAnswer('UPGRADE_REQUIRED', 'The request does not ask for a WebSocket.'),
      },
    },
    handler(_request, reply) {
      void reply.header('upgrade', 'websocket')
      throw new RequestError('UPGRADE_REQUIRED')
    },
  })
}

function readOpening(request: IncomingMessage, url: string, origins: WebSocketOptions['origins']) {
  const [path, ...query] = url.split('?')
  if (path !== '/ws') throw new RequestError('NOT_FOUND')
  const searchParams = new URLSearchParams(query.join('?'))
  checkOrigin(origins, request.headers.origin)
  const connId = parseConnId(searchParams.get('conn_id') ?? '')
  if (!connId) throw invalid(complaint(['conn_id'], 'Not a valid UUID.'))
  return { connId, cursor: cursorOf(searchParams.get('cursor')) }
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

class WebSocketSink extends FrameSocket {
  #connection: LiveConnection | undefined
  #closedWith: number | undefined
  /** Frames from the client since the last heartbeat. */
  #received = 0

  constructor(readonly options: WebSocketOptions) {
    super()
  }

  async attach(connId: ConnId, cursor: Cursor | undefined): Promise<void> {
    const attached = await this.options.sessions.attach(connId, this, cursor)
    if (attached.outcome === 'unknown') return this.close(CLOSE.unknownConnection)
    if (attached.outcome !== 'attached') return
    this.#connection = attached.connection
    if (this.#closedWith !== undefined) this.closed(this.#closedWith)
  }

  send(batch: Batch, after: number): void {
    this.write(batch.bytes(listFrames), after)
  }

  heartbeat(): void {
    this.#received = 0
    if (this.writable) this.write(HEARTBEAT)
  }

  /** What a message says does not matter: it is a sign of life. */
  received(): void {
    this.showedLife()
  }

  showedLife(): void {
    if (this.isClosing) return
    const { sessions, maxFramesPerHeartbeat } = this.options
    const current = this.#connection?.sink === this ? this.#connection : undefined
    if (current) sessions.seen(current)
    if (maxFramesPerHeartbeat === 0 || ++this.#received <= maxFramesPerHeartbeat) return
    if (current) sessions.expel(current, CLOSE.tooManyMessages)
    else this.close(CLOSE.tooManyMessages)
    this.stopReading()
  }

  drained(): void {
    if (this.#connection) this.options.sessions.drained(this.#connection, this)
  }

  closed(code: number): void {
    this.#closedWith = code
    if (this.#connection)
      this.options.sessions.lost(this.#connection, this, code === BROKE_OFF ? 'broke-off' : 'left')
  }
}

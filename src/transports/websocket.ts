import { inBackground } from '../lib/in-background.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { complaint } from '../protocol/complaints.ts'
import { errorAnswer, invalidAnswer } from '../protocol/error-answers.ts'
import { invalid } from '../protocol/errors.ts'
import { helloOf } from '../protocol/hello.ts'
import { parseConnId } from '../protocol/ids.ts'
import { StreamQuery } from '../protocol/queries.ts'
import { BROKE_OFF, FrameSocket } from './frame-socket.ts'
import { asksForHello, checkOrigin, cursorOf } from './request-checks.ts'
import { addWebSocketRoute } from './upgrades.ts'
import { HEARTBEAT, listFrames, textFrames } from './websocket-frames.ts'
import type { FastifyPluginAsync, FastifyRequest, FastifySchema } from 'fastify'
import type { Batch } from '../core/delivery/batch.ts'
import type { LiveConnection } from '../core/delivery/connection.ts'
import type { Sessions } from '../core/sessions/sessions.ts'
import type { Intervals } from '../protocol/hello.ts'
import type { ConnId, Cursor } from '../protocol/ids.ts'
import type { Closings } from './closings.ts'
import type { Query } from './request-checks.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The checked query of an upgrade to `/ws`. */
    opening: Opening | undefined
  }
}

interface Opening {
  readonly connId: ConnId
  readonly cursor: Cursor | undefined
  /** The client asks for the intervals of the server. */
  readonly hasHello: boolean
}

export interface WebSocketOptions {
  readonly sessions: Sessions
  readonly origins: { refuses(origin: string | undefined): boolean }
  /** The number of frames that a client may send between two heartbeats. 0: no limit. */
  readonly maxFramesPerHeartbeat: number
  readonly intervals: Intervals
  readonly closings: Closings
  readonly onFault: (error: unknown) => void
}

/**
 * `GET /ws?conn_id=…[&cursor=…][&hello=1]`. An unknown connection is closed with 1000 (recorded: ws-unknown-connection). An
 * invalid `conn_id` or `cursor` is answered with 422.
 */
export const webSocketRoute: FastifyPluginAsync<WebSocketOptions> = async (http, options) => {
  http.decorateRequest('opening')
  addWebSocketRoute(http, {
    url: '/ws',
    schema: SCHEMA,
    admit(request) {
      request.opening = readOpening(request, options)
    },
    serve({ opening }, open) {
      const { connId, cursor, hasHello } = opening as Opening
      const sink = new WebSocketSink(options, hasHello)
      open(sink)
      inBackground(attach(sink, connId, cursor), options.onFault)
    },
  })
}

const SCHEMA = {
  operationId: 'listenByWebSocket',
  tags: ['Client API'],
  security: [],
  summary: 'Listen by WebSocket',
  description:
    'Each event is one frame: a list with one element. An empty list is a heartbeat. ' +
    'With hello=1 the first frame is a Hello, once the connection is open. ' +
    'The server ignores the content of frames from the client: they are signs of life.',
  querystring: StreamQuery,
  response: {
    403: errorAnswer('FOREIGN_ORIGIN', 'allow_cors does not allow the origin of the page.'),
    422: invalidAnswer('conn_id or cursor is invalid.', { cursor: ['Not a valid cursor.'] }),
  },
} satisfies FastifySchema

function readOpening({ headers, query }: FastifyRequest, { origins }: WebSocketOptions): Opening {
  checkOrigin(origins, headers.origin)
  const one = (name: string): string | undefined => [(query as Query)[name]].flat()[0]
  const connId = parseConnId(one('conn_id') ?? '')
  if (!connId) throw invalid(complaint(['conn_id'], 'Not a valid UUID.'))
  return { connId, cursor: cursorOf(one('cursor')), hasHello: asksForHello(one('hello')) }
}

async function attach(
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
  /** The number of frames received since the last heartbeat. */
  #received = 0

  constructor(
    readonly options: WebSocketOptions,
    /** The client waits for the intervals of the server. */
    private owesHello: boolean,
  ) {
    super()
  }

  async attach(connId: ConnId, cursor: Cursor | undefined): Promise<void> {
    const attached = await this.options.sessions.attach(connId, this, cursor)
    if (attached.outcome === 'unknown') return this.close(CLOSE.unknownConnection)
    if (attached.outcome !== 'attached') return
    this.#connection = attached.connection
    this.#greet()
    if (this.#closedWith !== undefined) this.closed(this.#closedWith)
  }

  send(batch: Batch, after: number): void {
    this.#greet()
    this.write(batch.bytes(listFrames), after)
  }

  heartbeat(): void {
    this.#received = 0
    if (!this.writable) return
    this.#greet()
    this.write(HEARTBEAT)
  }

  /** Sends the intervals before anything else: a slow store may let a heartbeat come before the missed events. */
  #greet(): void {
    if (!this.owesHello) return
    this.owesHello = false
    this.write(textFrames([Buffer.from(`[${helloOf(this.options.intervals)}]`)]))
  }

  /** Ignores the content: every message is a sign of life. */
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
    // `attach` calls it again for a socket that was closed meanwhile.
    if (this.#closedWith === undefined) this.options.closings.note('websocket', code)
    this.#closedWith = code
    if (this.#connection)
      this.options.sessions.lost(this.#connection, this, code === BROKE_OFF ? 'broke-off' : 'left')
  }
}

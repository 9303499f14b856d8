import { z } from 'zod'
import { inBackground } from '../lib/in-background.ts'
import { announcedLength } from '../net/unread-rest.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { complaint } from '../protocol/complaints.ts'
import { errorAnswer, invalidAnswer } from '../protocol/error-answers.ts'
import { ERRORS, RequestError, invalid } from '../protocol/errors.ts'
import { EventStreamHeaders, LAST_EVENT_ID_HEADER } from '../protocol/event-stream.ts'
import { EXAMPLES } from '../protocol/examples.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { helloOf } from '../protocol/hello.ts'
import { parseConnId } from '../protocol/ids.ts'
import { StreamQuery } from '../protocol/queries.ts'
import { EventStream, STREAM_HEADERS, comeBack } from './event-stream.ts'
import { checkOrigin, cursorOf } from './request-checks.ts'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from '../core/sessions/sessions.ts'
import type { Clock } from '../lib/clock.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { Intervals } from '../protocol/hello.ts'
import type { ConnId, Cursor } from '../protocol/ids.ts'
import type { Closings } from './closings.ts'
import type { TakeResponse } from './event-stream.ts'
import type { Query } from './request-checks.ts'

export interface SseOptions {
  readonly sessions: Sessions
  readonly clock: Clock
  readonly origins: { refuses(origin: string | undefined): boolean }
  readonly intervals: Intervals
  /** The time in which a client has to show that it is alive. */
  readonly gcConnsMs: number
  readonly closings: Closings
  /** Returns how an error is answered. */
  readonly errorReply: (error: unknown) => { readonly code: ErrorCode; readonly status: number }
  readonly onFault: (error: unknown) => void
}

interface Opening {
  readonly connId: ConnId
  readonly cursor: Cursor | undefined
}

/** What passes. `EventSource` would give up for good at any other status than 200. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([429, 503])

/** `GET /sse?conn_id=…[&cursor=…]`: the events of a connection as Server-Sent Events. */
export const sseRoute: FastifyPluginAsync<SseOptions> = async (http, options) => {
  const streamOptions = { ...options, hello: helloOf(options.intervals) }
  http.get('/sse', {
    schema: SCHEMA,
    config: { answersErrorsAsStream: true },
    handler(request, reply) {
      checkOrigin(options.origins, request.headers.origin)
      // It would stay unread as long as the stream is open.
      if (announcesBody(request.raw)) throw new RequestError('UNREADABLE')
      const opening = readOpening(request)
      const stream = new EventStream(reply.raw, takerOf(reply), streamOptions)
      onClose(http, reply.raw, stream)
      inBackground(
        listen(stream, opening, options).catch(refuserOf(reply, stream)),
        options.onFault,
      )
    },
    errorHandler(error, request, reply) {
      const { code, status } = options.errorReply(error)
      if (!PASSING_STATUSES.has(status)) return http.errorHandler(error, request, reply)
      void reply.code(200).headers({ ...STREAM_HEADERS, [ERROR_HEADER]: code })
      void reply.send(comeBack(ERRORS[code].text))
    },
  })
}

const SCHEMA = {
  operationId: 'listenByEventStream',
  tags: ['Client API'],
  security: [],
  summary: 'Listen by Server-Sent Events',
  description:
    'Each event has its id and a list with one element. Comments are heartbeats. The stream ends within ' +
    'gc_conns_after, and the client comes back with the id of the last event.',
  querystring: StreamQuery,
  headers: EventStreamHeaders,
  response: {
    200: {
      description:
        'The stream. If the server cannot serve it now, it ends at once, and the client comes back.',
      content: {
        'text/event-stream': { schema: z.string().meta({ examples: [EXAMPLES.eventStream] }) },
      },
    },
    400: errorAnswer('UNREADABLE', 'The request cannot be read, or has a body.'),
    401: errorAnswer('UNKNOWN_CONNECTION', 'The connection is unknown: connect again.'),
    403: errorAnswer('FOREIGN_ORIGIN', 'allow_cors does not allow the origin of the page.'),
    422: invalidAnswer('A parameter is invalid.', { cursor: ['Not a valid cursor.'] }),
  },
}

const announcesBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || (announcedLength(request) ?? 0) > 0

function readOpening({ headers, query }: FastifyRequest): Opening {
  const one = (name: string): string | undefined => [(query as Query)[name]].flat().at(-1)
  const connId = parseConnId(one('conn_id') ?? '')
  if (!connId) throw invalid(complaint(['conn_id'], 'Not a valid UUID.'))
  // `EventSource` repeats its URL, with the cursor that it began with.
  const cursor =
    cursorOf(headers[LAST_EVENT_ID_HEADER] as string | undefined) ?? cursorOf(one('cursor'))
  return { connId, cursor }
}

// These functions stand alone: a closure in the handler would keep the request in memory as long as the stream.

const takerOf =
  (reply: FastifyReply): TakeResponse =>
  () => {
    const { raw } = reply.hijack()
    // Fastify's listener, which it added for both, keeps the request and the reply.
    for (const listener of raw.listeners('error') as (() => void)[])
      raw.off('error', listener).off('finish', listener)
    raw.on('error', ignore)
    return reply.getHeaders() as OutgoingHttpHeaders
  }

/** The socket of a response that fails is closed, and `close` follows. */
function ignore(): void {}

/** While the server stops, nothing else would close a socket whose client stays connected. */
function onClose(http: FastifyInstance, response: ServerResponse, stream: EventStream): void {
  response.once('close', () => {
    stream.closed()
    if (http.isStopping) response.req.socket.destroySoon()
  })
}

function refuserOf(reply: FastifyReply, stream: EventStream): (error: unknown) => void {
  return (error) => {
    if (!stream.hasBegun) return stream.isClosed ? undefined : void reply.send(error)
    stream.close(CLOSE.unavailable)
    throw error
  }
}

async function listen(
  stream: EventStream,
  { connId, cursor }: Opening,
  { sessions }: SseOptions,
): Promise<void> {
  const attached = await sessions.attach(connId, stream, cursor)
  switch (attached.outcome) {
    case 'unknown':
      throw new RequestError('UNKNOWN_CONNECTION')
    case 'attached':
      return stream.open(attached.connection, sessions.positionOf(attached.connection, cursor))
    default:
      stream.close(CLOSE.replaced)
      stream.open()
  }
}

import { z } from 'zod'
import { inBackground } from '../lib/in-background.ts'
import { unsentBytes } from '../net/unsent.ts'
import { complaint } from '../protocol/complaints.ts'
import { errorAnswer, errorAnswers } from '../protocol/error-answers.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { EXAMPLES } from '../protocol/examples.ts'
import { helloOf } from '../protocol/hello.ts'
import { parseConnId } from '../protocol/ids.ts'
import { ListenQuery } from '../protocol/queries.ts'
import { ListenResponse } from '../protocol/responses.ts'
import { asksForHello, checkOrigin, cursorOf } from './request-checks.ts'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { Batch } from '../core/delivery/batch.ts'
import type { LiveConnection, Sink } from '../core/delivery/connection.ts'
import type { OutgoingEvent } from '../core/delivery/outgoing-event.ts'
import type { Sessions } from '../core/sessions/sessions.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { Intervals } from '../protocol/hello.ts'
import type { Query } from './request-checks.ts'

export interface LongPollOptions {
  readonly sessions: Sessions
  readonly clock: Clock
  readonly origins: { refuses(origin: string | undefined): boolean }
  readonly jsonp: {
    isCallbackName(text: string): boolean
    wrapJsonp(callback: string, json: string): string
  }
  readonly times: PollTimes
  /** The most bytes of missed events in one answer. A poll that has gathered more is answered at once. */
  readonly maxAnswerBytes: number
  readonly intervals: Intervals
  readonly onFault: (error: unknown) => void
}

export interface PollTimes {
  /** The time after which a poll without events is answered. */
  readonly wakeMs: number
  /** The time that a poll waits for more events after each event. */
  readonly gatherMs: number
  /** The time after which the socket of a client is destroyed that takes nothing of its answer. */
  readonly answerMs: number
}

/** The limit of gathering, in multiples of `gatherMs` after the first event. */
const MAX_GATHERS = 4
/** How often, in `answerMs`, a poll looks if its answer makes progress. */
const LOOKS = 4

const LISTEN_RESPONSE = {
  description: 'Events. With hello=1 the first element is a Hello.',
  content: {
    'application/json': { schema: ListenResponse },
    'application/javascript': {
      schema: z.string().meta({
        description: 'With callback: a call of the function, with the list.',
        examples: [`${EXAMPLES.callback}(${JSON.stringify(EXAMPLES.frame)})`],
      }),
    },
  },
}
const INVALID_CONN_ID = {
  code: 'INVALID',
  description: 'conn_id is missing or not a UUID.',
  form: 'ErrorList',
  example: ['Wrong UUID format'],
} as const
const INVALID_PARAMETER = {
  code: 'INVALID',
  description: 'cursor or callback is invalid.',
  form: 'Invalid',
  example: { cursor: ['Not a valid cursor.'] },
} as const

/** `GET /listen`: returns the events of a connection, after `wakeMs` at the latest. `callback` makes it JSONP. */
export const longPoll: FastifyPluginAsync<LongPollOptions> = async (http, options) => {
  const parked = new Set<Poll>()
  http.addHook('preClose', (done) => {
    for (const poll of parked) poll.answer()
    done()
  })

  http.get('/listen', {
    schema: {
      operationId: 'listen',
      tags: ['Client API'],
      security: [],
      summary: 'Listen by long polling',
      description:
        'Returns a list of events: missed events, or the next ones. The list is empty after wake_connections_after. ' +
        'Missed events come in answers of about 128 KB, one after the other.',
      querystring: ListenQuery,
      response: {
        200: LISTEN_RESPONSE,
        401: errorAnswer('UNKNOWN_CONNECTION', 'The connection is unknown: connect again.'),
        403: errorAnswer('FOREIGN_ORIGIN', 'allow_cors does not allow the origin of the page.'),
        422: errorAnswers(INVALID_CONN_ID, INVALID_PARAMETER),
      },
    },
    handler(request, reply) {
      checkOrigin(options.origins, request.headers.origin)
      const { connId, cursor, form } = readQuery(request.query as Query, options)
      const poll = new Poll(reply, form, options)
      parked.add(poll)
      reply.raw.once('close', () => {
        parked.delete(poll)
        poll.closed()
      })
      inBackground(
        listen(poll, () => options.sessions.attach(connId, poll, cursor)),
        options.onFault,
      )
      return reply
    },
  })
}

function readQuery(query: Query, { jsonp }: LongPollOptions) {
  const one = (name: string): string | undefined => [query[name]].flat().at(-1)
  const connId = parseConnId(one('conn_id') ?? '')
  if (!connId) throw new RequestError('INVALID', ['Wrong UUID format'])
  const callback = one('callback') ?? ''
  if (callback !== '' && !jsonp.isCallbackName(callback)) {
    throw invalid(complaint(['callback'], 'Not the name of a function.'))
  }
  const form: AnswerForm = { callback, hasHello: asksForHello(one('hello')) }
  return { connId, form, cursor: cursorOf(one('cursor')) }
}

async function listen(poll: Poll, attach: () => ReturnType<Sessions['attach']>): Promise<void> {
  try {
    const attached = await attach()
    if (attached.outcome === 'unknown') poll.refuse(new RequestError('UNKNOWN_CONNECTION'))
    else if (attached.outcome === 'attached') poll.attachedTo(attached.connection)
    else if (attached.outcome === 'waits') poll.greet()
  } catch (error) {
    poll.refuse(error)
  }
}

interface AnswerForm {
  /** The name of a function, for JSONP. Empty for JSON. */
  readonly callback: string
  /** The client has asked for the intervals of the server. */
  readonly hasHello: boolean
}

/** A poll that waits for events. */
class Poll implements Sink {
  readonly kind = 'poll'
  readonly #events: OutgoingEvent[] = []
  #connection: LiveConnection | undefined
  /** The number of the last event before the gathered ones. */
  #after: number | undefined
  #cancelTimer: Cancel
  #answerAt = Infinity
  #gatheredBytes = 0
  /** The server knows the connection. */
  #isKnown = false
  #isAnswered = false
  #isClosed = false

  constructor(
    private readonly reply: FastifyReply,
    private readonly form: AnswerForm,
    private readonly options: LongPollOptions,
  ) {
    this.#cancelTimer = options.clock.after(options.times.wakeMs, () => this.answer())
  }

  get writable(): boolean {
    return !this.#isAnswered
  }

  get held(): number {
    return this.#gatheredBytes
  }

  get maxAnswerBytes(): number {
    return this.options.maxAnswerBytes
  }

  attachedTo(connection: LiveConnection): void {
    this.#connection = connection
    if (this.#isClosed) return this.closed()
    this.greet()
  }

  /** Notes that the connection exists. If the client has asked for a hello, answers at once, also with what is due. */
  greet(): void {
    this.#isKnown = true
    if (this.form.hasHello) this.answer()
  }

  /** Gathers events: an answer waits briefly for events that follow closely. */
  send(batch: Batch, after: number): void {
    const { clock, times } = this.options
    const now = clock.now()
    this.#isKnown = true
    this.#after ??= after
    if (this.#events.length === 0) this.#answerAt = now + MAX_GATHERS * times.gatherMs
    this.#events.push(...batch.events())
    this.#gatheredBytes += batch.size
    if (this.#gatheredBytes > this.maxAnswerBytes) return this.#reply()
    this.#cancelTimer()
    this.#cancelTimer = clock.after(Math.min(times.gatherMs, this.#answerAt - now), () =>
      this.answer(),
    )
  }

  heartbeat(): void {
    // The poll itself is a sign of life: it is answered soon, and the client has to poll again.
  }

  close(): void {
    this.answer()
  }

  abandon(): void {
    this.answer()
  }

  release(): number | undefined {
    if (this.reply.raw.writableFinished) return undefined
    this.#events.length = 0
    return this.#after
  }

  /** Flushes the outbox first: the flush that is due may be delayed by the flush pacer. */
  answer(): void {
    if (this.#connection) this.options.sessions.drained(this.#connection, this)
    this.#reply()
  }

  #reply(): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#cancelTimer()
    this.#cancelTimer = this.#cutWhenStuck()
    const { intervals, jsonp } = this.options
    const hello = this.form.hasHello && this.#isKnown ? [helloOf(intervals)] : []
    const list = `[${[...hello, ...this.#events.map(({ json }) => json)].join(',')}]`
    void this.reply.header('cache-control', 'no-store')
    const { callback } = this.form
    if (callback === '') void this.reply.type('application/json; charset=utf-8').send(list)
    else {
      const script = jsonp.wrapJsonp(callback, list)
      void this.reply.type('application/javascript; charset=utf-8').send(script)
    }
  }

  /** Destroys the socket once the client has taken nothing of the answer for `answerMs`. However slow it is, it may. */
  #cutWhenStuck(): Cancel {
    const { clock, times } = this.options
    const { raw } = this.reply
    let [unsent, since] = [Infinity, clock.now()]
    return clock.every(times.answerMs / LOOKS, () => {
      const now = clock.now()
      const left = unsentBytes(raw.socket)
      if (left !== unsent) [unsent, since] = [left, now]
      else if (now - since >= times.answerMs) raw.destroy()
    })
  }

  refuse(error: unknown): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#cancelTimer()
    void this.reply.send(error)
  }

  /** Called when the answer was sent, or when the client went away before that. */
  closed(): void {
    this.#isClosed = true
    this.#isAnswered = true
    this.#cancelTimer()
    if (this.#connection) this.options.sessions.lost(this.#connection, this, 'answered')
  }
}

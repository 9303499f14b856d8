import { randomUUID } from 'node:crypto'
import { Caller } from './caller.ts'
import { ENDPOINTS } from './endpoints.ts'
import { HttpClient } from './http-client.ts'
import { countOf, millisecondsOf, readBase, readSecret } from './options.ts'
import { Signatures } from './signatures.ts'
import type { z } from 'zod'
import type * as Requests from '../protocol/requests.ts'
import type { CallOptions } from './caller.ts'
import type { ChannelstreamOptions } from './options.ts'

/** What an endpoint takes, as the server's own schema has it. */
type Sent<Schema extends z.ZodType> = z.input<Schema>
/** What an endpoint answers, checked by that schema. */
type Answered<Name extends keyof typeof ENDPOINTS> = Promise<
  z.output<(typeof ENDPOINTS)[Name]['answer']>
>
type OneOrMore<Element> = Element | readonly Element[]

/**
 * A backend's side of a Channelstream server: one method for each endpoint. One client serves a whole process; it
 * keeps connections open and needs no start.
 *
 * A request that got lost, or met a server that is not there, is sent again until there is an answer or the deadline
 * is over. It is done once all the same: each carries an `Idempotency-Key`, by which the server knows a repeat.
 *
 * Every method rejects with a {@link ChannelstreamError}, or with the reason of the `signal` that it was given.
 * Arguments that are no JSON reject with a `TypeError`.
 */
export class Channelstream {
  readonly #caller: Caller
  readonly #line: HttpClient

  /** Opens nothing. Throws a `TypeError` or `RangeError` for options that cannot be. */
  constructor(options: ChannelstreamOptions) {
    const base = readBase(options.url)
    this.#line = new HttpClient({
      base,
      maxSockets: countOf('maxSockets', options.maxSockets ?? 32),
      tls: options.tls ?? {},
    })
    this.#caller = new Caller({
      line: this.#line,
      signatures: new Signatures(readSecret(options.secret)),
      prefix: base.pathname.replace(/\/+$/, ''),
      deadlineMs: millisecondsOf('deadlineMs', options.deadlineMs ?? 30_000),
      timeoutMs: millisecondsOf('timeoutMs', options.timeoutMs ?? 10_000),
      maxAttempts: countOf('maxAttempts', options.maxAttempts ?? 10),
      maxAnswerBytes: countOf('maxAnswerBytes', options.maxAnswerBytes ?? 64 * 1024 ** 2),
    })
  }

  // --- connections

  /**
   * Makes a connection for a user and joins channels; the client then listens with the `conn_id`. That is chosen here
   * if it is not given, at random.
   */
  async connect(
    request: Sent<typeof Requests.ConnectRequest>,
    options?: CallOptions,
  ): Answered<'connect'> {
    const body = { ...request, conn_id: request.conn_id ?? randomUUID() }
    return this.#caller.call(ENDPOINTS.connect, body, options)
  }

  /** Joins further channels. */
  subscribe(
    request: Sent<typeof Requests.SubscribeRequest>,
    options?: CallOptions,
  ): Answered<'subscribe'> {
    return this.#caller.call(ENDPOINTS.subscribe, request, options)
  }

  /** Leaves channels. */
  unsubscribe(
    request: Sent<typeof Requests.UnsubscribeRequest>,
    options?: CallOptions,
  ): Answered<'unsubscribe'> {
    return this.#caller.call(ENDPOINTS.unsubscribe, request, options)
  }

  /** Ends a connection. False: the server does not know it. */
  disconnect(connId: string, options?: CallOptions): Answered<'disconnect'> {
    const body: Sent<typeof Requests.DisconnectRequest> = { conn_id: connId }
    return this.#caller.call(ENDPOINTS.disconnect, body, options)
  }

  // --- messages

  /** Posts messages. Those without a `uuid` get one here, so that all that happens to them can name it. */
  async message(
    messages: OneOrMore<Sent<typeof Requests.MessageRequest>>,
    options?: CallOptions,
  ): Answered<'message'> {
    const body = listOf(messages).map((each) => ({ ...each, uuid: each.uuid ?? randomUUID() }))
    return this.#caller.call(ENDPOINTS.message, body, options)
  }

  /** Changes messages. */
  edit(
    edits: OneOrMore<Sent<typeof Requests.EditRequest>>,
    options?: CallOptions,
  ): Answered<'edit'> {
    return this.#caller.call(ENDPOINTS.edit, listOf(edits), options)
  }

  /** Takes messages away. */
  delete(
    deletes: OneOrMore<Sent<typeof Requests.DeleteRequest>>,
    options?: CallOptions,
  ): Answered<'delete'> {
    return this.#caller.call(ENDPOINTS.delete, listOf(deletes), options)
  }

  // --- users and channels

  /** Sets keys of a user's state. */
  userState(
    request: Sent<typeof Requests.UserStateRequest>,
    options?: CallOptions,
  ): Answered<'userState'> {
    return this.#caller.call(ENDPOINTS.userState, request, options)
  }

  /** Gives channels settings, by name and whole: what is left out gets its default. */
  channelConfig(
    request: Sent<typeof Requests.ChannelConfigRequest>,
    options?: CallOptions,
  ): Answered<'channelConfig'> {
    return this.#caller.call(ENDPOINTS.channelConfig, request, options)
  }

  /** Describes channels and their users; all of them, if `channels` does not name some. */
  info(wanted: Sent<typeof Requests.InfoOptions> = {}, options?: CallOptions): Answered<'info'> {
    const body: Sent<typeof Requests.InfoRequest> = { info: wanted }
    return this.#caller.call(ENDPOINTS.info, body, options)
  }

  // --- operations

  /** What is on the server, as the admin pages show it. */
  admin(options?: CallOptions): Answered<'admin'> {
    return this.#caller.call(ENDPOINTS.admin, undefined, options)
  }

  /** Resolves once the server has answered that it works; until the deadline it is asked again. */
  health(options?: CallOptions): Answered<'health'> {
    return this.#caller.call(ENDPOINTS.health, undefined, options)
  }

  /** Closes the connections, for when nothing is under way; a later call opens new ones. */
  close(): void {
    this.#line.close()
  }
}

const listOf = <Element extends object>(given: OneOrMore<Element>): readonly Element[] =>
  Array.isArray(given) ? (given as readonly Element[]) : [given as Element]

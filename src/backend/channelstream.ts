import { Caller } from './caller.ts'
import { ENDPOINTS } from './endpoints.ts'
import { FetchClient } from './fetch-client.ts'
import { MessageGatherer } from './message-gatherer.ts'
import { NodeClient } from './node-client.ts'
import { countOf, millisecondsOf, readBase, readSecret } from './options.ts'
import { Signatures } from './signatures.ts'
import type { CallOptions } from './caller.ts'
import type { HttpClient } from './http-client.ts'
import type { ChannelstreamOptions } from './options.ts'
import type * as Types from './types.ts'

type OneOrMore<Element> = Element | readonly Element[]

export interface MessageOptions extends CallOptions {
  /** Include in the response for whom each message was, and which of its channels are unknown. */
  readonly recipients?: boolean
}

/**
 * A client for the backend API of a Channelstream server, with one method for each endpoint. One client is enough for a
 * process. It keeps connections open and does not need to be started.
 *
 * If a request is lost or the server is unavailable, the client retries until it gets an answer or the deadline is
 * over. The server runs the request only once: each request has an `Idempotency-Key`, which identifies retries.
 *
 * Every method rejects with a {@link ChannelstreamError}, or with the reason of its `signal`. It rejects with a
 * `TypeError` if its arguments cannot be written as JSON.
 */
export class Channelstream {
  readonly #caller: Caller
  readonly #http: HttpClient
  readonly #gatherer: MessageGatherer | undefined

  /** Opens no connections. Throws a `TypeError` or `RangeError` for invalid options. */
  constructor(options: ChannelstreamOptions) {
    const base = readBase(options.url)
    const maxSockets = countOf('maxSockets', options.maxSockets ?? 32)
    const deadlineMs = millisecondsOf('deadlineMs', options.deadlineMs ?? 30_000)
    this.#http = options.fetch
      ? new FetchClient(base, options.fetch)
      : new NodeClient({ base, maxSockets, tls: options.tls ?? {} })
    this.#caller = new Caller({
      http: this.#http,
      signatures: new Signatures(readSecret(options.secret)),
      prefix: base.pathname.replace(/\/+$/, ''),
      deadlineMs,
      timeoutMs: millisecondsOf('timeoutMs', options.timeoutMs ?? 10_000),
      maxAttempts: countOf('maxAttempts', options.maxAttempts ?? 10),
      maxAnswerBytes: countOf('maxAnswerBytes', options.maxAnswerBytes ?? 64 * 1024 ** 2),
    })
    if (options.gatherMessages ?? true)
      this.#gatherer = new MessageGatherer(this.#caller, deadlineMs)
  }

  // --- connections

  /**
   * Creates a connection for a user and joins channels. The user's client then listens with the `conn_id`. Without a
   * `conn_id` in the request, this method chooses a random one.
   */
  async connect(
    request: Types.ConnectRequest,
    options?: CallOptions,
  ): Promise<Types.ConnectResponse> {
    const body = { ...request, conn_id: request.conn_id ?? crypto.randomUUID() }
    return this.#caller.call(ENDPOINTS.connect, body, options)
  }

  /** Joins more channels: a connection, or all that a user has now. */
  subscribe(
    request: Types.SubscribeRequest,
    options?: CallOptions,
  ): Promise<Types.SubscribeResponse> {
    return this.#caller.call(ENDPOINTS.subscribe, request, options)
  }

  /** Leaves channels: a connection, or all that a user has now. */
  unsubscribe(
    request: Types.UnsubscribeRequest,
    options?: CallOptions,
  ): Promise<Types.UnsubscribeResponse> {
    return this.#caller.call(ENDPOINTS.unsubscribe, request, options)
  }

  /** Ends a connection. Resolves with false if the server does not know it. */
  disconnect(connId: string, options?: CallOptions): Promise<boolean> {
    return this.#caller.call(ENDPOINTS.disconnect, { conn_id: connId }, options)
  }

  /** Ends all connections of a user, on any server, for a log-out or a ban. Resolves with those that there were. */
  disconnectUser(
    request: Types.DisconnectUserRequest,
    options?: CallOptions,
  ): Promise<Types.DisconnectUserResponse> {
    return this.#caller.call(ENDPOINTS.disconnectUser, request, options)
  }

  // --- messages

  /**
   * Posts messages. Adds a `uuid` to messages without one, so that edits and deletes can refer to them. With
   * `recipients`, each message in the response says for how many connections and users it was.
   */
  message(
    messages: OneOrMore<Types.MessageRequest>,
    options: MessageOptions & { readonly recipients: true },
  ): Promise<Types.CountedMessageResponse[]>
  message(
    messages: OneOrMore<Types.MessageRequest>,
    options?: MessageOptions,
  ): Promise<Types.MessageResponse[]>
  async message(
    messages: OneOrMore<Types.MessageRequest>,
    { recipients = false, ...options }: MessageOptions = {},
  ): Promise<Types.MessageResponse[]> {
    const body = listOf(messages).map((each) => ({
      ...each,
      uuid: each.uuid ?? crypto.randomUUID(),
    }))
    if (recipients) return this.#caller.call(ENDPOINTS.countedMessage, body, options)
    if (this.#gatherer && options.deadlineMs === undefined && body.length > 0)
      return this.#gatherer.post(body, options.signal)
    return this.#caller.call(ENDPOINTS.message, body, options)
  }

  /** Edits messages. */
  edit(edits: OneOrMore<Types.EditRequest>, options?: CallOptions): Promise<Types.EditResponse[]> {
    return this.#caller.call(ENDPOINTS.edit, listOf(edits), options)
  }

  /** Deletes messages. */
  delete(
    deletes: OneOrMore<Types.DeleteRequest>,
    options?: CallOptions,
  ): Promise<Types.DeleteResponse[]> {
    return this.#caller.call(ENDPOINTS.delete, listOf(deletes), options)
  }

  // --- users and channels

  /** Sets keys of a user's state. */
  userState(
    request: Types.UserStateRequest,
    options?: CallOptions,
  ): Promise<Types.UserStateResponse> {
    return this.#caller.call(ENDPOINTS.userState, request, options)
  }

  /** Sets the settings of channels, by name. Omitted settings get their defaults. */
  channelConfig(
    request: Types.ChannelConfigRequest,
    options?: CallOptions,
  ): Promise<Types.ChannelsInfo> {
    return this.#caller.call(ENDPOINTS.channelConfig, request, options)
  }

  /** Describes channels and their users. Without `channels`, it describes all channels. */
  info(wanted: Types.InfoOptions = {}, options?: CallOptions): Promise<Types.ChannelsInfo> {
    return this.#caller.call(ENDPOINTS.info, { info: wanted }, options)
  }

  /**
   * Returns a page of a channel's history. For the next one, if there are `more`: `after` the `id` of the newest message
   * of this page or, going back, `before` that of the oldest.
   */
  history(request: Types.HistoryRequest, options?: CallOptions): Promise<Types.HistoryResponse> {
    return this.#caller.call(ENDPOINTS.history, request, options)
  }

  /** Counts the connections and users of channels, without listing them. Without `channels`, it counts in all. */
  async counts(
    wanted: Pick<Types.CountsRequest, 'channels'> = {},
    options?: CallOptions,
  ): Promise<Readonly<Record<string, Types.ChannelCounts>>> {
    const body = { ...wanted, counts: true }
    return (await this.#caller.call(ENDPOINTS.counts, body, options)).channels ?? {}
  }

  /** Resolves with those of the users who have a connection, and the channels that they are in. */
  async online(users: readonly string[], options?: CallOptions): Promise<Types.OnlineUser[]> {
    return (await this.#caller.call(ENDPOINTS.counts, { users }, options)).users ?? []
  }

  // --- operations

  /** Resolves with the state of the server, as the admin pages show it. */
  admin(options?: CallOptions): Promise<Types.AdminResponse> {
    return this.#caller.call(ENDPOINTS.admin, undefined, options)
  }

  /** Resolves when the server answers that it works. Retries until the deadline. */
  health(options?: CallOptions): Promise<Types.HealthResponse> {
    return this.#caller.call(ENDPOINTS.health, undefined, options)
  }

  /** Closes all connections. Call it when no request is in progress. A later call opens new connections. */
  close(): void {
    this.#http.close()
  }
}

const listOf = <Element extends object>(given: OneOrMore<Element>): readonly Element[] =>
  Array.isArray(given) ? (given as readonly Element[]) : [given as Element]

import { byCodePoint } from '../lib/code-points.ts'
import { inBackground } from '../lib/in-background.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { complaint } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { uptimeText } from '../protocol/timestamps.ts'
import { FanOut } from './delivery/fan-out.ts'
import { Guest } from './delivery/guest.ts'
import { Outbox } from './delivery/outbox.ts'
import { Registry } from './delivery/registry.ts'
import {
  Bounds,
  checkChannels,
  checkInfo,
  checkList,
  checkPublicKeys,
  checkSettings,
  stateTooLarge,
} from './limits.ts'
import { postDelete, postEdits, postMessages, clientPublication } from './messages.ts'
import { settingsMap, unknownConnection, unknownUser } from './naming.ts'
import { NO_DETAILS, describeChannels } from './queries/describe.ts'
import { overviewOf } from './queries/overview.ts'
import { gapEvent } from './sessions/catch-up.ts'
import { Guests } from './sessions/guests.ts'
import { Sessions } from './sessions/sessions.ts'
import { Sweeper } from './sweeper.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { Yielder } from '../lib/yielder.ts'
import type { ChannelName, ConnId, UserName } from '../protocol/ids.ts'
import type * as Protocol from '../protocol/requests.ts'
import type { ChannelsInfo } from '../protocol/responses.ts'
import type { Awaitable, Figures, Membership, Store } from '../store/store.ts'
import type { HubOptions, Traffic } from './hub-options.ts'
import type { Posting, ClientMessage } from './messages.ts'
import type { DescribeOptions, PagedChannelsInfo } from './queries/describe.ts'

const SWEEP_INTERVAL_MS = 500

/** What callers may ask for, one method each. The rules are in the modules around; facts are in the store. */
export class Hub {
  readonly sessions: Sessions
  readonly guests: Guests
  /** For bodies of requests, before they are checked. */
  readonly bounds: Bounds
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #fanOut: FanOut
  readonly #queryDeps: { readonly store: Store; readonly maybeYield: Yielder }
  /** By the clock. */
  readonly startedAt: number
  readonly #sweeper: Sweeper
  #cancelSweep: Cancel | undefined

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly options: HubOptions,
  ) {
    this.startedAt = clock.now()
    this.bounds = new Bounds(options)
    this.#queryDeps = { store, maybeYield: options.maybeYield }
    const inBackground = (work: Awaitable<unknown>): void => this.#inBackground(work)
    this.#registry = new Registry(store, inBackground, options.onListening)
    const outbox = (this.#outbox = new Outbox(clock, options.maxOutboxBytes, (connection) =>
      connection instanceof Guest
        ? this.guests.expel(connection, CLOSE.slowReader)
        : this.sessions.expel(connection, CLOSE.slowReader),
    ))
    this.#fanOut = new FanOut(this.#registry, outbox)
    const deps = { store, clock, registry: this.#registry, outbox, inBackground }
    this.sessions = new Sessions(deps, options)
    this.#sweeper = new Sweeper(store)
    this.guests = new Guests(deps, Math.max(options.gcChannelsMs / 3, SWEEP_INTERVAL_MS / 2))
  }

  /** Starts listening to the store, heartbeats and sweeps. */
  start(): void {
    this.store.onEvent((event, topics) => this.#fanOut.deliver(event, topics))
    const { store, clock } = this
    this.store.onGap((gap) =>
      this.#fanOut.announceGap(
        gap,
        (topics) => gapEvent({ store, clock }, gap.n, topics),
        (connection) => this.sessions.outdate(connection),
      ),
    )
    this.store.onCommand((command) => this.sessions.onCommand(command))
    this.sessions.heartbeats.start()
    this.guests.start()
    this.#cancelSweep ??= this.clock.every(SWEEP_INTERVAL_MS, () =>
      this.#inBackground(this.sweep()),
    )
  }

  /** Closes the sinks of all clients, which may come back, to this server or another. Requests are still answered. */
  sendAway(): void {
    this.sessions.closeAll(CLOSE.stopping)
    this.guests.closeAll(CLOSE.stopping)
  }

  /** The end: nothing can be asked any more. */
  async stop(): Promise<void> {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.sessions.heartbeats.stop()
    this.guests.stop()
    this.sendAway()
    await this.store.stop()
  }

  /** Clients that have a connection open here. */
  get openConnections(): number {
    return this.#registry.size
  }

  /** What this server does for clients that have a connection open here. */
  traffic(): Traffic {
    return {
      ...this.#outbox.counts(),
      connections: this.#registry.size,
      guests: this.guests.size,
      heldBytes: this.#registry.heldBytes(),
    }
  }

  // --- connections and channels

  /**
   * Makes a connection (or keeps the one of that id), joins the channels and tells presence.
   * Throws `INVALID` for a conn_id of another user, a state that is too large, and what limits refuse.
   */
  async connect(request: Protocol.ConnectRequest) {
    checkChannels(request, this.options)
    checkPublicKeys(request.state_public_keys, this.options)
    const connId = request.conn_id ?? (crypto.randomUUID() as ConnId)
    const channels = [...request.channels].sort(byCodePoint)
    const connected = await this.store.connect({
      connId,
      user: request.username,
      freshState: request.fresh_user_state,
      state: request.user_state,
      publicKeys: request.state_public_keys,
      channels,
      settings: settingsMap(request.channel_configs),
      waitMs: this.options.gcConnsMs,
    })
    if (connected.outcome === 'taken')
      throw invalid(complaint(['conn_id'], 'Belongs to another user.'))
    if (connected.outcome === 'state-too-large') throw stateTooLarge(this.options)
    const { user } = connected
    return {
      conn_id: connId,
      username: user.name,
      state: user.state,
      public_state: user.publicState,
      channels,
      channels_info: await this.#describe(channels, request.info, user.name),
    }
  }

  /** Joins channels and tells presence. Throws `INVALID` for an unknown connection and what limits refuse. */
  async subscribe(request: Protocol.SubscribeRequest) {
    checkChannels(request, this.options)
    // Presence is told in the order of the request, the answer is sorted; so it is in unsubscribe.
    const joined = await this.store.join(
      request.conn_id,
      request.channels,
      settingsMap(request.channel_configs),
    )
    if (!joined) throw invalid(unknownConnection())
    return {
      ...(await this.#membership(joined, request.info)),
      subscribed_to: [...joined.changed].sort(byCodePoint),
    }
  }

  /** Leaves channels and tells presence. Throws `INVALID` for an unknown connection. */
  async unsubscribe(request: Protocol.UnsubscribeRequest) {
    checkChannels(request, this.options)
    const left = await this.store.leave(request.conn_id, request.channels)
    if (!left) throw invalid(unknownConnection())
    return {
      ...(await this.#membership(left, request.info)),
      unsubscribed_from: [...left.changed].sort(byCodePoint),
    }
  }

  /** Ends a connection, closes its sink and tells presence. False: there is none of that id. */
  disconnect(connId: ConnId) {
    return this.store.drop(connId)
  }

  hasConnection(connId: ConnId) {
    return this.store.hasConnection(connId)
  }

  /** Gives channels their settings, whole, making those that are not known. Answers them without users and history. */
  async configureChannels(request: Protocol.ChannelConfigRequest) {
    checkList(Object.keys(request), this.options.maxChannelsPerRequest)
    checkSettings(request, this.options, () => [])
    const settings = settingsMap(request)
    await this.store.configure(settings)
    return this.#describe([...settings.keys()], NO_DETAILS)
  }

  // --- users

  /**
   * Sets keys of a user's state and tells the channels that want to know.
   * Throws `INVALID` for an unknown user and a state that is too large.
   */
  async setUserState(request: Protocol.UserStateRequest) {
    const { user: name, user_state: state, state_public_keys: publicKeys } = request
    checkPublicKeys(publicKeys ?? [], this.options)
    const change = await this.store.setUserState(name, state, publicKeys ?? undefined)
    if (!change) throw invalid(unknownUser())
    if (change === 'state-too-large') throw stateTooLarge(this.options)
    return {
      user_state: change.user.state,
      changed_state: change.changed,
      public_keys: change.user.publicKeys,
    }
  }

  hasUser(user: UserName) {
    return this.store.hasUser(user)
  }

  // --- messages

  /**
   * Each announces its list in order and resolves once the store has it; says nothing about who has read it.
   * Answers the list with what was filled in. Throws `INVALID` for a list that is too long; nothing is done then.
   * Under the same `once`, a UUID, a request that is repeated is announced once.
   */
  async postMessages(requests: readonly Protocol.MessageRequest[], once?: string) {
    checkList(requests, this.options.maxMessagesPerRequest)
    return this.#post(postMessages(this.clock, requests, once), once)
  }

  async editMessages(requests: readonly Protocol.EditRequest[], once?: string) {
    checkList(requests, this.options.maxMessagesPerRequest)
    return this.#post(postEdits(this.clock, requests), once)
  }

  async deleteMessages(requests: readonly Protocol.DeleteRequest[], once?: string) {
    checkList(requests, this.options.maxMessagesPerRequest)
    return this.#post(requests.map(postDelete), once)
  }

  /** Announces a message that somebody said elsewhere, in a channel that is known here; in others nothing happens. */
  say(said: ClientMessage): Awaitable<void> {
    return this.store.publish([clientPublication(this.clock, said)])
  }

  async #post<Answer>(
    postings: readonly Posting<Answer>[],
    once: string | undefined,
  ): Promise<Answer[]> {
    const publications = postings.map(({ publication }) => publication)
    await this.store.publish(publications, once)
    this.options.onPosted?.(publications)
    return postings.map(({ answer }) => answer)
  }

  // --- what is there

  /** Channels and users, with everything that a backend may see. */
  async info(options: Protocol.InfoOptions) {
    checkInfo(options, this.options)
    return this.#describe(options.channels, options)
  }

  /** What the store holds. Rejects if it does not answer. */
  async figures(): Promise<Figures> {
    return this.store.figures()
  }

  /** What admin.json answers, but for the version. */
  async adminOverview() {
    const overview = await overviewOf(this.#queryDeps)
    return { ...overview, uptime: uptimeText((this.clock.now() - this.startedAt) / 1000) }
  }

  /** Ends what is due: connections that nobody came for, users and channels that nobody needs. */
  async sweep(): Promise<void> {
    await this.#sweeper.sweep()
  }

  #describe(
    names: readonly ChannelName[] | undefined,
    options: DescribeOptions,
    viewer?: UserName,
  ): Promise<ChannelsInfo | PagedChannelsInfo> {
    return describeChannels(this.#queryDeps, names, options, viewer)
  }

  #inBackground(work: Awaitable<unknown>): void {
    inBackground(work, this.options.onFault)
  }

  async #membership({ user, channels: unsorted }: Membership, info: Protocol.InfoOptions) {
    const channels = [...unsorted].sort(byCodePoint)
    return { channels, channels_info: await this.#describe(channels, info, user.name) }
  }
}

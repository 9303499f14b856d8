import { byCodePoint } from '../lib/code-points.ts'
import { inBackground } from '../lib/in-background.ts'
import { complaint } from '../protocol/complaints.ts'
import { invalid } from '../protocol/errors.ts'
import { uptimeText } from '../protocol/timestamps.ts'
import { eachConnectionOf, reach } from './by-user.ts'
import { ChannelRules } from './channel-rules.ts'
import { FanOut } from './delivery/fan-out.ts'
import { Outbox } from './delivery/outbox.ts'
import { Registry } from './delivery/registry.ts'
import {
  Bounds,
  checkChannels,
  checkCounts,
  checkInfo,
  checkList,
  checkPublicKeys,
  checkSettings,
  stateTooLarge,
} from './limits.ts'
import { clientPublication } from './messages.ts'
import { unknownUser } from './naming.ts'
import { Poster } from './poster.ts'
import { NO_DETAILS, describeChannels } from './queries/channels-info.ts'
import { count } from './queries/counts.ts'
import { readHistory } from './queries/history.ts'
import { describeMembership } from './queries/membership.ts'
import { overviewOf } from './queries/overview.ts'
import { gapEvent } from './sessions/catch-up.ts'
import { closeAll, expelSlowClient, sendAway } from './sessions/departure.ts'
import { Guests } from './sessions/guests.ts'
import { Sessions } from './sessions/sessions.ts'
import { Sweeper } from './sweeper.ts'
import { NO_USER_LIMITS, UserLimits } from './user-limits.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { Yielder } from '../lib/yielder.ts'
import type { HistoryRequest } from '../protocol/history.ts'
import type { ChannelName, ConnId, UserName } from '../protocol/ids.ts'
import type { CountsRequest } from '../protocol/info-requests.ts'
import type * as Protocol from '../protocol/requests.ts'
import type { Awaitable, Figures, Store } from '../store/store.ts'
import type { HubOptions, HubRules, Traffic } from './hub-options.ts'
import type { ClientMessage } from './messages.ts'
import type { Absence } from './sessions/departure.ts'

const SWEEP_INTERVAL_MS = 500

/** The operations that callers may request, one method each. Rules are in the modules it uses, facts in the store. */
export class Hub {
  readonly sessions: Sessions
  readonly guests: Guests
  /** Checks the size of request bodies before their schemas do. */
  readonly bounds: Bounds
  readonly #registry: Registry
  readonly #outbox: Outbox
  readonly #rules: ChannelRules
  readonly #fanOut: FanOut
  readonly #userLimits: UserLimits
  readonly #queryDeps: { readonly store: Store; readonly maybeYield: Yielder }
  /** By the clock. */
  readonly startedAt: number
  readonly #sweeper: Sweeper
  readonly #poster: Poster
  #cancelSweep: Cancel | undefined

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly options: HubOptions,
  ) {
    // A copy of its own, which `changeRules` changes.
    this.options = options = { ...options }
    this.startedAt = clock.now()
    this.bounds = new Bounds(options)
    this.#userLimits = new UserLimits(options.userLimits ?? NO_USER_LIMITS)
    const rules = (this.#rules = new ChannelRules(options.channelRules))
    this.#queryDeps = { store, maybeYield: options.maybeYield }
    const inBackground = (work: Awaitable<unknown>): void => this.#inBackground(work)
    this.#registry = new Registry(store, inBackground, options.onListening)
    const outbox = (this.#outbox = new Outbox(clock, options.maxOutboxBytes, (connection) =>
      expelSlowClient(this, connection, options.onSlowClient),
    ))
    this.#fanOut = new FanOut(this.#registry, outbox)
    const deps = { store, clock, rules, registry: this.#registry, outbox, inBackground }
    this.sessions = new Sessions(deps, options)
    this.#sweeper = new Sweeper(store)
    this.#poster = new Poster({ store, clock, rules, userLimits: this.#userLimits, options })
    this.guests = new Guests(deps, Math.max(options.gcChannelsMs / 3, SWEEP_INTERVAL_MS / 2))
  }

  /** Subscribes to the store, and starts heartbeats and sweeps. */
  start(): void {
    this.store.onEvent((event, topics) => this.#fanOut.deliver(event, topics))
    const { store, clock } = this
    this.store.onGap((gap) =>
      this.#fanOut.announceGap(
        gap,
        (topics) => gapEvent({ store, clock }, gap.n, topics),
        (connection) => this.sessions.markStale(connection),
      ),
    )
    this.store.onCommand((command) => this.sessions.onCommand(command))
    this.sessions.heartbeats.start()
    this.guests.start()
    this.#cancelSweep ??= this.clock.every(SWEEP_INTERVAL_MS, () =>
      this.#inBackground(this.sweep()),
    )
  }

  /** Applies to requests from now on. */
  changeRules({ userLimits, channelRules, ...limits }: HubRules): void {
    Object.assign(this.options, limits)
    this.#userLimits.change(userLimits)
    this.#rules.change(channelRules)
  }

  /** Closes the sinks of all clients: see `sendAway`. Requests are still answered. */
  sendAway(absence: Absence): void {
    const { clock, sessions, guests } = this
    sendAway({ clock, sessions, guests, registry: this.#registry }, absence)
  }

  /** Stops everything, the store included. */
  async stop(): Promise<void> {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    this.sessions.heartbeats.stop()
    this.guests.stop()
    closeAll(this)
    await this.store.stop()
  }

  /** The number of connections that clients have open on this server. */
  get openConnections(): number {
    return this.#registry.size
  }

  /** Returns the figures of this server's connections and deliveries. */
  traffic(): Traffic {
    return {
      ...this.#outbox.counts(),
      ...{ connections: this.#registry.size, guests: this.guests.size },
      heldBytes: this.#registry.heldBytes(),
      ...this.sessions.counts.view(),
    }
  }

  // --- connections and channels

  /**
   * Creates a connection (or keeps the one with this id), joins the channels and announces presence. Throws `INVALID`
   * for a conn_id of another user, a state that is too large, and exceeded limits of a request; `TOO_MANY_CONNECTIONS`
   * and `TOO_MANY_CHANNELS` for those of a user.
   */
  async connect(request: Protocol.ConnectRequest) {
    checkChannels(request, this.options)
    this.#rules.checkChannels(request)
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
      settings: this.#rules.settingsFor(channels, request.channel_configs),
      waitMs: this.options.gcConnsMs,
      ...this.#userLimits.onConnect(request.username),
    })
    if (connected.outcome === 'taken')
      throw invalid(complaint(['conn_id'], 'Belongs to another user.'))
    if (connected.outcome === 'state-too-large') throw stateTooLarge(this.options)
    if (connected.outcome !== 'connected')
      throw this.#userLimits.refusal(connected.outcome, request.username)
    const { name, state, publicState } = connected.user
    return {
      ...{ conn_id: connId, username: name, state, public_state: publicState },
      channels,
      channels_info: await describeChannels(this.#queryDeps, channels, request.info, name),
    }
  }

  /**
   * Joins channels and announces presence. Throws `INVALID` for an unknown connection and exceeded limits of a request,
   * `TOO_MANY_CHANNELS` for that of a user. Of a user, joins with all connections that there are.
   */
  async subscribe(request: Protocol.SubscribeRequest) {
    checkChannels(request, this.options)
    this.#rules.checkChannels(request)
    const settings = this.#rules.settingsFor(request.channels, request.channel_configs)
    // Presence is announced in the order of the request. The answer is sorted, as in `unsubscribe`.
    const limit = this.#userLimits.onJoin()
    const joined = await this.#userLimits.guard(() =>
      reach(this.#queryDeps, request, (connId) =>
        this.store.join(connId, request.channels, settings, limit),
      ),
    )
    return {
      ...(await describeMembership(this.#queryDeps, joined, request.info)),
      subscribed_to: joined.changed,
    }
  }

  /** Leaves channels and announces presence, like `subscribe`. */
  async unsubscribe(request: Protocol.UnsubscribeRequest) {
    checkChannels(request, this.options)
    const left = await reach(this.#queryDeps, request, (connId) =>
      this.store.leave(connId, request.channels),
    )
    return {
      ...(await describeMembership(this.#queryDeps, left, request.info)),
      unsubscribed_from: left.changed,
    }
  }

  /** Ends a connection, closes its sink and announces presence. Returns false if there is no such connection. */
  disconnect(connId: ConnId) {
    return this.store.drop(connId)
  }

  /** Ends all connections of a user, also those that clients have open on other servers. Returns which. */
  async disconnectUser({ username, reason }: Protocol.DisconnectUserRequest) {
    const ended = await eachConnectionOf(this.#queryDeps, username, (connId) =>
      this.store.drop(connId, { reason }),
    )
    return { username, conn_ids: [...ended].filter(([, wasThere]) => wasThere).map(([id]) => id) }
  }

  hasConnection(connId: ConnId) {
    return this.store.hasConnection(connId)
  }

  /** Replaces the settings of channels. Creates unknown channels. Returns the channels without users and history. */
  async configureChannels(request: Protocol.ChannelConfigRequest) {
    checkList(Object.keys(request), this.options.maxChannelsPerRequest)
    checkSettings(request, this.options, () => [])
    this.#rules.checkConfigs(request)
    const names = Object.keys(request) as ChannelName[]
    await this.store.configure(this.#rules.settingsFor(names, request))
    return describeChannels(this.#queryDeps, names, NO_DETAILS)
  }

  // --- users

  /**
   * Sets keys of a user's state and announces the change in channels with `notify_state`. Throws `INVALID` for an
   * unknown user and a state that is too large.
   */
  async setUserState(request: Protocol.UserStateRequest) {
    const { user: name, user_state: state, state_public_keys: publicKeys } = request
    checkPublicKeys(publicKeys ?? [], this.options)
    const change = await this.store.setUserState(name, state, publicKeys ?? undefined)
    if (!change) throw invalid(unknownUser())
    if (change === 'state-too-large') throw stateTooLarge(this.options)
    return {
      user_state: change.user.state,
      changed_state: [...change.changed],
      public_keys: [...change.user.publicKeys],
    }
  }

  hasUser(user: UserName) {
    return this.store.hasUser(user)
  }

  // --- messages

  /** See {@link Poster} for these four. */
  postMessages(requests: readonly Protocol.MessageRequest[], once?: string) {
    return this.#poster.messages(requests, once)
  }

  postAndCount(requests: readonly Protocol.MessageRequest[], once?: string) {
    return this.#poster.messagesAndCount(requests, once)
  }

  editMessages(requests: readonly Protocol.EditRequest[], once?: string) {
    return this.#poster.edits(requests, once)
  }

  deleteMessages(requests: readonly Protocol.DeleteRequest[], once?: string) {
    return this.#poster.deletes(requests, once)
  }

  /** Publishes a client's message from outside this server. Does nothing if the channel is unknown. */
  say(message: ClientMessage): Awaitable<void> {
    return this.store.publish([clientPublication(this.clock, message)])
  }

  // --- queries

  /** Returns channels and users with everything that a backend may see. */
  async info(options: Protocol.InfoOptions) {
    checkInfo(options, this.options)
    return describeChannels(this.#queryDeps, options.channels, options)
  }

  /** Returns a page of a channel's history, for a backend or, with a `username`, for this user. */
  history(request: HistoryRequest) {
    return readHistory(this.#queryDeps, request)
  }

  /** Counts connections and users of channels. Tells which users are online, and in which channels. */
  async counts(request: CountsRequest) {
    checkCounts(request, this.options)
    return count(this.#queryDeps, request)
  }

  /** Returns the figures of the store. Rejects if the store does not answer. */
  async figures(): Promise<Figures> {
    return this.store.figures()
  }

  /** Returns the content of admin.json, except for the version. */
  async adminOverview() {
    const overview = await overviewOf(this.#queryDeps)
    return { ...overview, uptime: uptimeText((this.clock.now() - this.startedAt) / 1000) }
  }

  /** Ends connections that no client opened in time. Removes idle users and channels. */
  async sweep(): Promise<void> {
    await this.#sweeper.sweep()
  }

  #inBackground(work: Awaitable<unknown>): void {
    inBackground(work, this.options.onFault)
  }
}

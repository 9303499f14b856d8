/**
 * The contract between the rules (core) and the data that outlives a connection or that other servers must see.
 *
 * One process or twenty run the same core. The core publishes here, and every published event comes back from here,
 * also to the publishing server. Implementations: `memory/store.ts` for one process, `redis/store.ts` for any number.
 * Both pass the suite in `test/contract/`.
 *
 * Guarantees of every implementation:
 * - Each call is atomic: it takes effect completely or not at all, and no other call sees it half done.
 * - `publish` numbers events in one sequence. History, frames and announcements agree on that order.
 * - A call that makes a change also publishes its events, if the channel's settings ask for them: a user's first
 *   connection in a channel (`joined`), its last one (`parted`), a changed state. So each change is announced exactly
 *   once, in the order of changes.
 * - Returned records are snapshots: they do not change afterwards, and callers must not change them.
 *
 * Calls return a value or a promise; callers await. They reject with `StoreUnavailable` while the store cannot be
 * reached. Such a call may still have taken effect, because only its answer may be lost.
 */
import type { EventType } from '../protocol/events.ts'
import type { Scalar } from '../protocol/fields.ts'
import type { ChannelName, ConnId, UserName } from '../protocol/ids.ts'
import type { ChannelSettings } from '../protocol/requests.ts'
import type { ChannelCounts, Recipients } from './counts.ts'
import type { DiskFigures, Eviction, Figures } from './figures.ts'
import type { HistoryRange, NumberRange } from './history-range.ts'
import type { ChannelLimit, MessageRate } from './user-limits.ts'

export type { ChannelCounts, DiskFigures, Eviction, Figures, HistoryRange, NumberRange, Recipients }

export type Awaitable<Value> = Value | Promise<Value>

/** The store cannot be reached. The same call may succeed later. Without a cause, no request was sent to it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  constructor(options?: ErrorOptions) {
    super('the store cannot be reached', options)
  }
}

/** Options of every implementation. */
export interface StoreLimits {
  /** Events kept per channel for clients that reconnect. */
  readonly channelFrames: number
  /** Private messages kept per user for clients that reconnect. */
  readonly userFrames: number
  /** A user without connections is removed after this time. */
  readonly gcUsersMs: number
  /** A channel without members and activity is removed after this time. */
  readonly gcChannelsMs: number
  /** Largest JSON size of a user's state, in bytes. */
  readonly maxStateBytes: number
  /** Maximum number of users listed in a presence event. */
  readonly presenceListLimit: number
  /**
   * Maximum number of removals that a channel remembers, of users and of connections (see `leave`). Over it the oldest
   * tenth is forgotten, so that memory does not grow without limit in a channel with constant removals.
   */
  readonly maxRemovals: number
  /** A history of more messages has an index by uuid. The default depends on the store. Fewer in tests. */
  readonly longHistory?: number
}

/** Where events are announced: a channel, or a user (private messages). Only these functions create and parse it. */
export type Topic = string & { readonly __topic: true }
export const channelTopic = (name: ChannelName): Topic => `c:${name}` as Topic
export const isChannelTopic = (topic: Topic): boolean => topic.startsWith('c:')
export const userTopic = (name: UserName): Topic => `u:${name}` as Topic
/** The name of the channel or the user. */
export const nameInTopic = (topic: Topic): string => topic.slice(2)

export type State = Readonly<Record<string, Scalar>>

/** The content of an event for its receivers, before it has an id. `timestamp` is in Python's isoformat. */
export interface EventBody {
  readonly type: EventType
  readonly uuid: string
  readonly channel: ChannelName | null
  readonly timestamp?: string | undefined
  readonly [key: string]: unknown
}

/** How an event is delivered. Visible to backends, never to clients. */
export interface Delivery {
  /**
   * Only these users; empty for everyone. For events on topics of users, a store may list only the users whose topics
   * it returns the event for.
   */
  readonly pmUsers: readonly UserName[]
  /** Not these users. Overrides `pmUsers`. */
  readonly excludeUsers: readonly UserName[]
  /** Messages only: do not store it in the history. */
  readonly noHistory: boolean
  /** Messages from Philote only: what Philote clients get where it differs from the body. */
  readonly philote?: PhiloteForm | undefined
}

/** A message in Philote's wire format. Absent fields are taken from the body. */
export interface PhiloteForm {
  readonly id?: string
  readonly issuer?: string
  readonly channel?: string
  readonly data?: string
}

/** An event with its number `n`. Clients see `id`. */
export interface StoredEvent {
  readonly n: number
  readonly id: string
  readonly body: EventBody
  readonly delivery: Delivery
  /** Perhaps in announcements: what events of one publication in several channels share. Bodies differ in the channel. */
  readonly publication?: object
}

/** An event to publish in a channel, in several channels, or to some users. */
export interface Publication {
  readonly body: EventBody
  readonly delivery: Delivery
  /** Receivers of a private message; undefined for an event in a channel. */
  readonly users?: readonly UserName[]
  /**
   * Instead of `body.channel`, which is null: the channels, each once. Each gets an event of its own, with the name of
   * this channel in its body, in the order of the list.
   */
  readonly channels?: readonly ChannelName[]
}

export interface UserCard {
  readonly user: UserName
  readonly state: State
}

/** A changed key of a user's state, with its new value. */
export interface Changed {
  readonly key: string
  readonly value: Scalar
}

export interface UserRecord {
  readonly name: UserName
  readonly uuid: string
  readonly state: State
  readonly publicState: State
  readonly publicKeys: readonly string[]
  /** Only if requested. */
  readonly connections?: readonly ConnId[]
}

export interface ChannelRecord {
  readonly name: ChannelName
  readonly uuid: string
  readonly settings: ChannelSettings
  /** Wall time in milliseconds since 1970. */
  readonly lastActive: number
  readonly connections: number
  /** Names in no particular order; empty unless requested. */
  readonly users: readonly UserName[]
  /** Oldest first; empty unless requested. */
  readonly history: readonly StoredEvent[]
  /** The number of users; only if requested. */
  readonly userCount?: number
  /** If `history` is only the first part of what was requested: which messages follow. `Queries.history` reads them. */
  readonly moreHistory?: NumberRange | undefined
}

/** The optional parts of channel records. */
export interface Include {
  readonly users: boolean
  /** A number: so many of the newest messages. */
  readonly history: boolean | number
  readonly userCount?: boolean
}

export interface HistoryPart {
  /** In the direction of reading. */
  readonly events: readonly StoredEvent[]
  /** Whether the range has more messages in this direction. */
  readonly isMore: boolean
}

/** Channels and the users in them, without duplicates. Without `users` if there are too many. */
export interface Description {
  readonly channels: readonly ChannelRecord[]
  readonly users?: readonly UserRecord[]
}

/** A channel in a list of channels. */
export interface ChannelSummary {
  readonly name: ChannelName
  readonly connections: number
  readonly users: number
  /** Messages in the history. */
  readonly history: number
  /** Wall time in milliseconds since 1970. */
  readonly lastActive: number
}

/** A user in a list of users. */
export interface UserSummary {
  readonly name: UserName
  readonly connections: number
}

/** A long list in parts of at most a thousand elements. Parts are read on demand. */
export type Scan<Element> = Iterable<readonly Element[]> | AsyncIterable<readonly Element[]>

export interface ConnectFacts {
  readonly connId: ConnId
  readonly user: UserName
  /** For a new user. */
  readonly freshState: State
  readonly state: State
  readonly publicKeys: readonly string[]
  readonly channels: readonly ChannelName[]
  /** For new channels. */
  readonly settings: ReadonlyMap<ChannelName, ChannelSettings>
  /** How long the connection waits for a client before it is due. */
  readonly waitMs: number
  /** The user's connections, and the channels that the user is in with any of them. 0: no limit. */
  readonly maxConnections?: number
  readonly maxChannels?: number
}

export type Connected =
  | { readonly outcome: 'connected'; readonly user: UserRecord }
  /** The connection id belongs to another user. */
  | { readonly outcome: 'taken' }
  /** The user's state would be larger than `maxStateBytes`. */
  | { readonly outcome: 'state-too-large' }
  /** The user would have more than `maxConnections`. */
  | { readonly outcome: 'too-many-connections' }
  /** The user would be in more than `maxChannels`. */
  | { readonly outcome: 'too-many-channels' }

export interface Membership {
  readonly user: UserRecord
  /** Channels that this call joined or left, in the order of the request. */
  readonly changed: readonly ChannelName[]
  /** All channels of the connection after the call, in no particular order. */
  readonly channels: readonly ChannelName[]
}

/** A stream stays open over many events; a poll answers once. */
export type SinkKind = 'stream' | 'poll'

/** The data that a server needs to serve a client of the connection. */
export interface Attachment {
  readonly user: UserName
  /** `since`: events of the channel up to this number are not for the connection. */
  readonly channels: readonly { readonly name: ChannelName; readonly since: number }[]
  /** The number of the last event sent to the client; at first, of the newest event at `connect`. */
  readonly cursor: number
  /** True if a client has opened the connection before. */
  readonly returning: boolean
}

export interface UserStateChange {
  readonly user: UserRecord
  readonly changed: readonly Changed[]
}

/** All events of a topic after number `after`. */
export interface Since {
  readonly topic: Topic
  readonly after: number
}

export interface Missed {
  /** In the order of their numbers, each once. Not filtered: the core decides who may see them. */
  readonly events: readonly StoredEvent[]
  /** Topics whose frames do not reach back to the requested number. */
  readonly gaps: readonly Topic[]
  /** For each of them, the number of the newest lost event. */
  readonly lost: ReadonlyMap<Topic, number>
  /** The number of the newest event of the installation. */
  readonly head: number
  /** Everything up to this number has been read. Lower than `head` if the store stopped before the last event. */
  readonly through: number
}

/** Events that are lost and can no longer be delivered. */
export interface Gap {
  /** The number of the newest lost event of each topic. */
  readonly lost: ReadonlyMap<Topic, number>
  /** The number for the `gap` event. All later events have larger numbers. */
  readonly n: number
  /** The number of the newest event. Larger numbers belong to an older sequence that the store has lost. */
  readonly head: number
}

/** A command to the server that has the client of a connection. Any server may have caused it. */
export type Command =
  | {
      readonly type: 'joined'
      readonly connId: ConnId
      readonly channels: readonly ChannelName[]
      /** The number of the newest event at the join. Later events are for the connection. */
      readonly since: number
    }
  | { readonly type: 'left'; readonly connId: ConnId; readonly channels: readonly ChannelName[] }
  /** All channels of the connection. Replaces commands that were lost while the store was unavailable. */
  | { readonly type: 'is-in'; readonly connId: ConnId; readonly channels: readonly Since[] }
  /** `reason`: what the backend gave for the client, if anything. */
  | { readonly type: 'dropped'; readonly connId: ConnId; readonly reason?: string | undefined }
  /** A client has opened the connection on another server, which waits for a `detach`. */
  | { readonly type: 'moved'; readonly connId: ConnId }

/** Numbers events, keeps them, and delivers them to the servers that subscribe. */
export interface Broker {
  /** Changes when the store loses its data. 1 to 32 letters and digits. */
  readonly epoch: string

  /** Calls the listener for each event on subscribed topics, with these topics, in the order of event numbers. */
  onEvent(listener: (event: StoredEvent, topics: readonly Topic[]) => void): void
  /** Calls the listener when events on subscribed topics are lost, before later events are announced. */
  onGap(listener: (gap: Gap) => void): void
  /** Resolves when events of the topic are announced here. While the store is unavailable, waits until it is back. */
  listen(topic: Topic): Awaitable<void>
  unlisten(topic: Topic): Awaitable<void>

  /**
   * Publishes events in order. A message is appended to the history if the channel keeps one. An edit changes the first
   * message with its uuid in history and frames; a delete removes it from both. An edit or delete without `pmUsers`
   * goes to the receivers of that message, if the channel still has the message or an edit or delete of it. All events
   * are kept as frames if the channel keeps frames. Nothing happens for an unknown channel or unknown users.
   *
   * In a channel with `history_ttl`, messages and frames that are older are not returned any more, and `sweep` removes
   * them.
   *
   * `once` is an idempotency key: after a rejection with `StoreUnavailable`, a retry with the same key publishes the
   * events exactly once, whether or not the first call took effect.
   *
   * `rate`: takes the tokens of all charges first. If a bucket has too few, rejects with `RateExceeded`. A retry with
   * the same `once` takes none.
   */
  publish(publications: readonly Publication[], once?: string, rate?: MessageRate): Awaitable<void>
  /**
   * Publishes messages like `publish`. Returns the recipients of each, at the moment of publishing. Guests do not count.
   * Undefined if an earlier call with the same `once` has published the messages.
   */
  publishAndCount(
    messages: readonly Publication[],
    once?: string,
    rate?: MessageRate,
  ): Awaitable<readonly Recipients[] | undefined>
  /**
   * Returns the events on these topics, as far back as frames reach. `enough`: the store may stop once it has events of
   * about this many bytes, but not before it has one.
   */
  missed(since: readonly Since[], enough?: number): Awaitable<Missed>
}

export interface DropOptions {
  readonly onlyIfDue?: boolean
  readonly reason?: string | undefined
}

/** Knows who is where: connections, users with their states, channels with their settings, and their members. */
export interface Memberships {
  /** Calls the listener on the server that has the connection's client. Without a client, on no server. */
  onCommand(listener: (command: Command) => void): void

  /**
   * Creates or updates the user, creates the connection (or keeps the one with this id), joins the channels and
   * announces presence in their order. An existing connection stays in its other channels. Of several refusals, returns
   * the first in the order of `Connected`; nothing is changed then.
   */
  connect(facts: ConnectFacts): Awaitable<Connected>
  /**
   * Joins channels, creates unknown ones, and announces presence in their order. Undefined: no such connection. Rejects
   * with `TooManyChannels` beyond the limit, if there is one.
   */
  join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
    limit?: ChannelLimit,
  ): Awaitable<Membership | undefined>
  /**
   * Leaves channels and announces presence in their order. Ignores channels it is not in. Undefined: no such
   * connection.
   *
   * Unlike a disconnect, this is a removal: after the next join, events from before that join are not delivered. It
   * applies to the user if this was the user's last connection in the channel, otherwise to this connection. `attach`
   * returns the number of the newest event at that join as `since`.
   */
  leave(connId: ConnId, channels: readonly ChannelName[]): Awaitable<Membership | undefined>
  /**
   * Ends the connection and announces presence in the order in which its channels were created. Returns false if there
   * is no such connection; with `onlyIfDue` also if a client has opened it, or `connect` renewed it, since `sweep`
   * returned it. `reason`: for the client, if one has opened it; see `Command`.
   */
  drop(connId: ConnId, options?: DropOptions): Awaitable<boolean>
  hasConnection(connId: ConnId): Awaitable<boolean>

  /**
   * Assigns the connection to this server, where a client opened it. It is not due until `detach`. Undefined: no such
   * connection. If another server has it, that server is asked to hand it over. A poll never takes over from a stream
   * on another server: it `waits`. `superseded`: a client has opened it on yet another server meanwhile.
   */
  attach(connId: ConnId, kind: SinkKind): Awaitable<Attachment | 'waits' | 'superseded' | undefined>
  /**
   * Ends the assignment, because the client is gone. It may return within `waitMs`. `cursor`: the number of the last
   * event sent to it. Has no effect on a connection of another server. Does not reject while the store is unavailable:
   * it takes effect when the store is back.
   */
  detach(connId: ConnId, cursor: number, waitMs: number): Awaitable<void>

  /**
   * Sets keys of a user's state. Announces a change in the user's channels with `notify_state`, in the order in which
   * they were created. Undefined: no such user. Without `publicKeys`, they stay as they are.
   */
  setUserState(
    user: UserName,
    state: State,
    publicKeys: readonly string[] | undefined,
  ): Awaitable<UserStateChange | 'state-too-large' | undefined>
  /** Creates the channels, or replaces all their settings. */
  configure(settings: ReadonlyMap<ChannelName, ChannelSettings>): Awaitable<void>
  /**
   * Creates unknown channels, with these settings or else the defaults. Counts as activity in the others. Returns the
   * number of the newest event.
   */
  ensure(
    channels: readonly ChannelName[],
    settings?: ReadonlyMap<ChannelName, ChannelSettings>,
  ): Awaitable<number>

  /**
   * Returns some or all connections that are due, or an empty list if there are none. The caller ends them with `drop`.
   * They are not returned again at once. Also removes users without connections and channels without members that were
   * idle for too long, and what is older than the `history_ttl` of its channel.
   */
  sweep(): Awaitable<readonly ConnId[]>
}

/** Describes channels and users. Changes nothing. */
export interface Queries {
  /** Returns all channels, in the order of their creation. */
  channelNames(): Awaitable<readonly ChannelName[]>
  /** Returns channels by name, each once, with their histories or the first parts of these. Skips unknown channels. */
  channels(names: readonly ChannelName[], include: Include): Awaitable<readonly ChannelRecord[]>
  /** Returns the same and their users in one atomic step, for at most `mostUsers` members, counted in each channel. */
  describe(
    names: readonly ChannelName[],
    include: Include,
    mostUsers: number,
  ): Awaitable<Description>
  /** Returns a part of a channel's history. Undefined: no such channel. */
  history(channel: ChannelName, range: HistoryRange): Awaitable<HistoryPart | undefined>
  /** Returns users by name. Skips unknown ones. */
  users(
    names: Iterable<UserName>,
    include?: { readonly connections: boolean },
  ): Awaitable<readonly UserRecord[]>
  /** Counts the connections and users of channels by name, each once. Skips unknown ones. Not atomic. */
  countChannels(names: readonly ChannelName[]): Awaitable<readonly ChannelCounts[]>
  /** Returns the connections of each of these users, in the order of the names. Empty for unknown users. Not atomic. */
  connectionsOf(names: readonly UserName[]): Awaitable<readonly (readonly ConnId[])[]>
  /** Returns the channels of each of these connections, in their order. Empty for unknown connections. Not atomic. */
  channelsOf(connIds: readonly ConnId[]): Awaitable<readonly (readonly ChannelName[])[]>
  /** Returns users with at least one connection. */
  connectedUserNames(): Awaitable<readonly UserName[]>
  hasUser(user: UserName): Awaitable<boolean>
  /**
   * Scans all channels, or all users, in no particular order. Not atomic: entries that exist during the whole scan are
   * in it, perhaps twice. Entries added or removed meanwhile may be missing.
   */
  scanChannels(): Scan<ChannelSummary>
  scanUsers(): Scan<UserSummary>
  figures(): Awaitable<Figures>
}

/** All facts that outlive a connection. Calls are atomic unless they say otherwise. */
export interface Store extends Broker, Memberships, Queries {
  /** Releases all resources. */
  stop(): Awaitable<void>
}

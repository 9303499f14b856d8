/**
 * The contract between the rules (core) and the facts that outlive a connection or that another server must see.
 *
 * One process or twenty run the same core: it publishes here, and whatever is published comes back from here, to the
 * publishing server too. Implementations: `memory.ts`, one process, and `redis.ts`, any number of them. They share the
 * suite in `test/contract/`.
 *
 * Guarantees that every implementation gives:
 * - Each call is atomic: it happens whole or not at all, and no other call sees it half done.
 * - `publish` numbers events in one sequence; history, frames and announcements agree on that order.
 * - What a change brings with it is told by the call that makes it, as events, where a channel's settings want it: a
 *   user's first connection in a channel (`joined`), its last one (`parted`), a state that has changed. So everything is
 *   told once, in the order in which it happened, and nobody comes or goes untold.
 * - Records that are handed out are snapshots: they do not change afterwards and must not be changed.
 *
 * Calls may answer at once or with a promise; callers await. They reject with `StoreUnavailable` while the store cannot be
 * reached; such a call may still have taken effect, since the answer may be what got lost.
 */
import type { EventType } from '../protocol/events.ts'
import type { Scalar } from '../protocol/fields.ts'
import type { ChannelName, ConnId, UserName } from '../protocol/ids.ts'
import type { ChannelSettings } from '../protocol/requests.ts'

export type Awaitable<Value> = Value | Promise<Value>

/** The store cannot be reached at the moment. The same call may succeed later. Without a cause nothing was asked of it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
  constructor(options?: ErrorOptions) {
    super('the store cannot be reached', options)
  }
}

/** What an implementation is told when it is opened. */
export interface StoreLimits {
  /** Events kept per channel for connections that return. */
  readonly channelFrames: number
  /** Private messages kept per user for connections that return. */
  readonly userFrames: number
  /** A user without connections is forgotten after so many milliseconds. */
  readonly gcUsersMs: number
  /** A channel without members that nothing happens in is forgotten after so many milliseconds. */
  readonly gcChannelsMs: number
  /** Largest JSON size of a user's state, in bytes. */
  readonly maxStateBytes: number
  /** Most users that are listed with a presence event. */
  readonly presenceListLimit: number
  /**
   * Most removals that a channel remembers, of users and of connections (see `leave`). Past it the oldest tenth is
   * forgotten: what it takes up must not grow for ever with a channel that people are taken out of all day.
   */
  readonly maxRemovals: number
}

/** Where events are announced: a channel, or a user (private messages). Made and read by these functions only. */
export type Topic = string & { readonly __topic: true }
export const channelTopic = (name: ChannelName): Topic => `c:${name}` as Topic
export const isChannelTopic = (topic: Topic): boolean => topic.startsWith('c:')
export const userTopic = (name: UserName): Topic => `u:${name}` as Topic
/** The name of the channel or the user. */
export const nameInTopic = (topic: Topic): string => topic.slice(2)

export type State = Readonly<Record<string, Scalar>>

/** What receivers may see of an event, before it has an id. `timestamp` is in Python's isoformat. */
export interface EventBody {
  readonly type: EventType
  readonly uuid: string
  readonly channel: ChannelName | null
  readonly timestamp?: string | undefined
  readonly [key: string]: unknown
}

/** How an event is delivered. Backends may see it, clients never. */
export interface Delivery {
  /** Only these users; empty for everyone. Of what is on topics of users a store may name only those it hands it out for. */
  readonly pmUsers: readonly UserName[]
  /** Not these users; wins over `pmUsers`. */
  readonly excludeUsers: readonly UserName[]
  /** Messages only: keep it out of the history. */
  readonly noHistory: boolean
  /** Messages that came by Philote only: what Philote readers get, where the body does not say it. */
  readonly philote?: PhiloteForm | undefined
}

/** A message as it stands on Philote's wire. What is left out is what the body says. */
export interface PhiloteForm {
  readonly id?: string
  readonly issuer?: string
  readonly channel?: string
  readonly data?: string
}

/** An event that was announced. `n` is its number, `id` the text that clients see. */
export interface StoredEvent {
  readonly n: number
  readonly id: string
  readonly body: EventBody
  readonly delivery: Delivery
}

/** Something to announce: in a channel, or to some users. */
export interface Publication {
  readonly body: EventBody
  readonly delivery: Delivery
  /** Users of a private message; undefined: the channel that `body.channel` names. */
  readonly users?: readonly UserName[]
}

export interface UserCard {
  readonly user: UserName
  readonly state: State
}

/** A key of a user's state, with its value after a change. */
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
  /** Only if they were asked for. */
  readonly connections?: readonly ConnId[]
}

export interface ChannelRecord {
  readonly name: ChannelName
  readonly uuid: string
  readonly settings: ChannelSettings
  /** Wall time in milliseconds since 1970. */
  readonly lastActive: number
  readonly connections: number
  /** Names in no order; empty unless asked for. */
  readonly users: readonly UserName[]
  /** Oldest first; empty unless asked for. */
  readonly history: readonly StoredEvent[]
}

/** What records of channels are to have. */
export interface Include {
  readonly users: boolean
  readonly history: boolean
}

/** Channels and the users in them, each once; without the users if there are too many. */
export interface Description {
  readonly channels: readonly ChannelRecord[]
  readonly users?: readonly UserRecord[]
}

/** What a list of channels shows of one. */
export interface ChannelSummary {
  readonly name: ChannelName
  readonly connections: number
  readonly users: number
  /** Messages in the history. */
  readonly history: number
  /** Wall time in milliseconds since 1970. */
  readonly lastActive: number
}

/** What a list of users shows of one. */
export interface UserSummary {
  readonly name: UserName
  readonly connections: number
}

/** Parts of a long list, each of at most a thousand elements, read as they are asked for. */
export type Scan<Element> = Iterable<readonly Element[]> | AsyncIterable<readonly Element[]>

export interface ConnectFacts {
  readonly connId: ConnId
  readonly user: UserName
  /** For a user that is not known. */
  readonly freshState: State
  readonly state: State
  readonly publicKeys: readonly string[]
  readonly channels: readonly ChannelName[]
  /** For channels that are made. */
  readonly settings: ReadonlyMap<ChannelName, ChannelSettings>
  /** How long the connection may wait for a client before it is due. */
  readonly waitMs: number
}

export type Connected =
  | { readonly outcome: 'connected'; readonly user: UserRecord }
  /** Another user has a connection with this id. */
  | { readonly outcome: 'taken' }
  /** The user's state would be larger than `maxStateBytes`. */
  | { readonly outcome: 'state-too-large' }

export interface Membership {
  readonly user: UserRecord
  /** Channels that the connection has joined, or left, in the order of the request. */
  readonly changed: readonly ChannelName[]
  /** All channels of the connection afterwards, in no order. */
  readonly channels: readonly ChannelName[]
}

/** A stream stays open over many events; a poll answers once. */
export type SinkKind = 'stream' | 'poll'

/** What a server needs to serve a client that opened a connection. */
export interface Attachment {
  readonly user: UserName
  /** `since`: nothing of the channel is for the connection that has a number up to this one. */
  readonly channels: readonly { readonly name: ChannelName; readonly since: number }[]
  /** The number of the last event that the client was sent; at first, of the last one before `connect`. */
  readonly cursor: number
  /** True if a client had opened it before. */
  readonly returning: boolean
}

export interface UserStateChange {
  readonly user: UserRecord
  readonly changed: readonly Changed[]
}

/** What of one topic a connection has missed: everything after the event with the number `after`. */
export interface Since {
  readonly topic: Topic
  readonly after: number
}

export interface Missed {
  /** In the order of their numbers, each once. Not filtered: who may see what is for the core to say. */
  readonly events: readonly StoredEvent[]
  /** Topics whose frames do not reach back as far as was asked. */
  readonly gaps: readonly Topic[]
  /** The number of the newest event of the installation. */
  readonly head: number
}

/** Events that can be told to nobody any more. */
export interface Gap {
  /** The topics, each with the number of the newest event on it that is lost. */
  readonly lost: ReadonlyMap<Topic, number>
  /** The number to tell the gap by: everything that is announced from now on has a larger one. */
  readonly n: number
  /** The number of the newest event. A larger one that is remembered is of a numbering that ended with the store's memory. */
  readonly head: number
}

/** What the server that holds a connection is asked to do, whichever server was asked for it. */
export type Command =
  | {
      readonly type: 'joined'
      readonly connId: ConnId
      readonly channels: readonly ChannelName[]
      /** What comes after the event with this number is for the connection: the newest one when they were joined. */
      readonly since: number
    }
  | { readonly type: 'left'; readonly connId: ConnId; readonly channels: readonly ChannelName[] }
  /** It is in these channels and in no others: what was told of it while the store was away is lost. */
  | { readonly type: 'is-in'; readonly connId: ConnId; readonly channels: readonly Since[] }
  | { readonly type: 'dropped'; readonly connId: ConnId }
  /** Its client has opened it at another server, which waits for a `detach`. */
  | { readonly type: 'moved'; readonly connId: ConnId }

/** What becomes of facts without anybody asking for it: what a store's machine takes away when its memory is used up. */
export interface Eviction {
  /** False as well if the machine does not say. */
  readonly mayEvict: boolean
  /** Since the start of that machine, whoever had them. */
  readonly evictedKeys: number
}

export interface Figures {
  readonly users: number
  readonly connectedUsers: number
  readonly connections: number
  readonly channels: number
  /** Messages posted. */
  readonly messages: number
  /** Messages times the connections they were for. */
  readonly deliveries: number
  /** What was heard of it last; only of a store that has a machine of its own. */
  readonly eviction?: Eviction
}

export interface Store {
  /** Changes when the store has lost its memory. 1 to 32 letters and digits. */
  readonly epoch: string

  /** Called for every event on a topic that is listened to, with those topics, in the order of their numbers. */
  onEvent(listener: (event: StoredEvent, topics: readonly Topic[]) => void): void
  /** Called when events on topics that are listened to are lost, before what comes after them is announced. */
  onGap(listener: (gap: Gap) => void): void
  /** Called on the server that holds the connection; on none, if no client is attached. */
  onCommand(listener: (command: Command) => void): void
  /** Resolves once events are announced here; if the store is away, when it is back. */
  listen(topic: Topic): Awaitable<void>
  unlisten(topic: Topic): Awaitable<void>

  /**
   * Makes or updates the user, makes the connection (or keeps the one of that id), joins the channels and tells presence
   * in their order. With a known id the connection stays in the channels that are not named.
   */
  connect(facts: ConnectFacts): Awaitable<Connected>
  /** Joins channels, making those that are not known, and tells presence in their order. Undefined: no such connection. */
  join(
    connId: ConnId,
    channels: readonly ChannelName[],
    settings: ReadonlyMap<ChannelName, ChannelSettings>,
  ): Awaitable<Membership | undefined>
  /**
   * Leaves channels, and tells presence in their order; passes over those it is not in. Undefined: no such connection.
   *
   * Unlike going away, it is a removal: once the user, if no other connection of theirs is in the channel, or else this
   * connection joins again, what was announced before that joining is not for them any more. `attach` answers it as `since`.
   */
  leave(connId: ConnId, channels: readonly ChannelName[]): Awaitable<Membership | undefined>
  /**
   * Ends the connection, and tells presence in the order in which its channels were made. False: there is none of that id
   * (any more); or, with `onlyIfDue`, a client has come for it or it was connected again since `sweep` answered it.
   */
  drop(connId: ConnId, onlyIfDue?: boolean): Awaitable<boolean>
  hasConnection(connId: ConnId): Awaitable<boolean>

  /**
   * A client opened the connection here: it is not due until it is detached. Undefined: no such connection. A server that
   * holds it is asked to hand it over; but a poll never takes over from a stream elsewhere: then it `waits`. It is
   * `superseded` if a client came to yet another server meanwhile.
   */
  attach(connId: ConnId, kind: SinkKind): Awaitable<Attachment | 'waits' | 'superseded' | undefined>
  /**
   * The client is gone for now; it may come back within `waitMs`. `cursor`: the last event it was sent. Has no effect on
   * a connection that another server holds. Does not reject while the store is away: it is done when the store is back.
   */
  detach(connId: ConnId, cursor: number, waitMs: number): Awaitable<void>

  /**
   * Sets keys of a user's state, and tells a change in each of the user's channels that has `notify_state`, in the order
   * in which they were made. Undefined: no such user. `publicKeys` undefined keeps them.
   */
  setUserState(
    user: UserName,
    state: State,
    publicKeys: readonly string[] | undefined,
  ): Awaitable<UserStateChange | 'state-too-large' | undefined>
  /** Makes the channels, or gives them these settings whole. */
  configure(settings: ReadonlyMap<ChannelName, ChannelSettings>): Awaitable<void>
  /**
   * Makes the channels that are not known, with default settings; for the others it counts as activity. Answers the number
   * of the newest event.
   */
  ensure(channels: readonly ChannelName[]): Awaitable<number>

  /**
   * Announces events, in order. A message is appended to the history where the channel keeps one; an edit changes the
   * first message with its uuid in history and frames; a delete takes it out of both. One that names no `pmUsers` is for
   * those whom that message was for, if the channel still has it or an edit or delete of it. All are kept as frames where the
   * channel keeps frames. For an unknown channel, or users that are not known, nothing happens.
   *
   * `once` names what is published: after a rejection with `StoreUnavailable` it may be published again under the same name, and
   * is announced once, whether or not the first call had taken effect.
   */
  publish(publications: readonly Publication[], once?: string): Awaitable<void>
  /** What was announced on these topics since, as far as frames reach. */
  missed(since: readonly Since[]): Awaitable<Missed>

  /** All channels, in the order in which they were made. */
  channelNames(): Awaitable<readonly ChannelName[]>
  /** Channels by name, unknown ones passed over, each once. */
  channels(names: readonly ChannelName[], include: Include): Awaitable<readonly ChannelRecord[]>
  /** The same, and who is in them, in one step; for at most `mostUsers` members, counted in each channel. */
  describe(
    names: readonly ChannelName[],
    include: Include,
    mostUsers: number,
  ): Awaitable<Description>
  /** Users by name; unknown ones are passed over. */
  users(
    names: Iterable<UserName>,
    include?: { readonly connections: boolean },
  ): Awaitable<readonly UserRecord[]>
  /** Users that have a connection. */
  connectedUserNames(): Awaitable<readonly UserName[]>
  hasUser(user: UserName): Awaitable<boolean>
  /**
   * All channels, and all users, in no order. Not atomic: one that is there from the beginning to the end of the scan is
   * in it, perhaps twice; one that comes or goes meanwhile may be.
   */
  scanChannels(): Scan<ChannelSummary>
  scanUsers(): Scan<UserSummary>
  figures(): Awaitable<Figures>

  /**
   * Answers connections that are due (to be ended with `drop`): some or all of them, none of them again at once; an empty
   * list when there are no more. Forgets users without connections and channels without members that were idle for long
   * enough.
   */
  sweep(): Awaitable<readonly ConnId[]>

  /** Lets go of whatever it holds. */
  stop(): Awaitable<void>
}

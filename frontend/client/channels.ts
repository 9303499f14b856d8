/**
 * Channels with listeners and members of their own, on top of a connection (docs/client.md, Channels). An import of its
 * own, `channelstream/client/channels`, for pages that want it.
 */
import { Emitter } from './emitter.ts'
import { report } from './errors.ts'
import { Roster } from './roster.ts'
import type { ListenOptions } from './emitter.ts'
import type { ChannelstreamError } from './errors.ts'
import type { Events, PageTypes, ServerEvent } from './events.ts'
import type { Members } from './roster.ts'

export type { Members } from './roster.ts'

/** The events for `channel.on`: those of this channel, and `members` when somebody has joined, left or changed. */
export type ChannelEvents<Types extends PageTypes = object> = {
  [E in ServerEvent<Types> as E['type']]: E
} & { members: Members<Types>; error: ChannelstreamError }

/** What channels use of a connection. */
export interface ConnectionOfChannels<Types extends PageTypes = object> {
  readonly pageTypes?: Types
  channels: string[]
  readonly status: string
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): Promise<unknown>
  on<Type extends 'event' | 'connect' | 'status'>(
    type: Type,
    listener: (event: Events<Types>[Type]) => unknown,
  ): () => void
}

/**
 * One channel, for as long as somebody listens: the connection subscribes with the first listener, and unsubscribes after
 * the last one is removed unless the page had asked for the channel itself.
 */
export interface Channel<Types extends PageTypes = object> {
  readonly name: string
  /**
   * The users in the channel with their public states, kept up to date while somebody listens: a new map after each
   * change. Null until an answer of the backend has them.
   */
  readonly members: Members<Types> | null
  /** Returns a function that removes the listener. Aborting `signal` removes it too. */
  on<Type extends keyof ChannelEvents<Types>>(
    type: Type,
    listener: (event: ChannelEvents<Types>[Type]) => unknown,
    options?: ListenOptions,
  ): () => void
}

/** When the backend is asked again after a failure of the network. */
const RETRY_MS = 5_000

const known = new WeakMap<object, Channels>()

/** Returns a channel of the connection. All objects for one channel share its subscription and its members. */
export function channelOf<Types extends PageTypes = object>(
  connection: ConnectionOfChannels<Types>,
  name: string,
): Channel<Types> {
  const channels = known.get(connection) ?? new Channels(connection)
  known.set(connection, channels)
  return {
    name,
    get members() {
      return channels.membersOf(name) as Members<Types> | null
    },
    on: (type, listener, options = {}) => channels.listen(name, type, listener, options),
  }
}

interface Entry {
  readonly emitter: Emitter<ChannelEvents>
  readonly roster: Roster
  listeners: number
}

interface Call {
  readonly type: 'subscribe' | 'unsubscribe'
}

/** The channels of one connection that somebody listens to. */
class Channels {
  readonly #entries = new Map<string, Entry>()
  /** The channels that are subscribed to for a listener. */
  readonly #joined = new Set<string>()
  /**
   * The last call for each channel, while it is under way. The connection repeats it by itself for a newer connection.
   * A call that failed to leave is kept, so that the next listener subscribes again.
   */
  readonly #underWay = new Map<string, Call>()
  /** Channels that the connection is in, and whose members only an answer of the backend can tell. */
  readonly #unknown = new Set<string>()
  #isDue = false
  /** The answer to `connect()` is newer than all that a gap can be about. */
  #isFresh = false

  constructor(private readonly connection: ConnectionOfChannels) {
    connection.on('event', (event) => this.#received(event))
    connection.on('connect', ({ answer }) => this.#connected(answer))
    connection.on('status', ({ status }) => {
      this.#isFresh &&= status === 'connected' || status === 'connecting'
    })
  }

  membersOf(name: string): Members | null {
    return this.#entries.get(name)?.roster.members ?? null
  }

  listen(
    name: string,
    type: string,
    listener: (event: never) => unknown,
    { signal }: ListenOptions,
  ): () => void {
    if (signal?.aborted) return () => {}
    const entry: Entry = this.#entries.get(name) ?? {
      emitter: new Emitter<ChannelEvents>(),
      roster: new Roster(),
      listeners: 0,
    }
    this.#entries.set(name, entry)
    entry.listeners++
    // The answer to `connect()` may have come before.
    if (
      type === 'members' &&
      !entry.roster.members &&
      !this.#underWay.has(name) &&
      this.connection.status === 'connected'
    )
      this.#unknown.add(name)
    this.#settleSoon()
    const remove = entry.emitter.on(type as 'message', listener as () => unknown)
    let isOn = true
    const off = (): void => {
      if (!isOn) return
      isOn = false
      remove()
      entry.listeners--
      signal?.removeEventListener('abort', off)
      this.#settleSoon()
    }
    signal?.addEventListener('abort', off)
    return off
  }

  #received(event: ServerEvent): void {
    const names = event.type === 'gap' ? event.channels : [event.channel ?? '']
    for (const name of names) {
      const entry = this.#entries.get(name)
      if (!entry) continue
      entry.emitter.emit(event.type, event)
      if (entry.roster.received(event)) this.#tellMembers(entry)
    }
    if (event.type !== 'gap' || this.#isFresh) return
    // Who joined or left meanwhile is not known. An answer of the backend tells all who are there.
    for (const name of names) if (this.membersOf(name)) this.#unknown.add(name)
    this.#settleSoon()
  }

  /** The page has another connection, which is in the channels of its answer. */
  #connected(answer: unknown): void {
    this.#isFresh = true
    for (const name of this.#joined)
      if (!this.connection.channels.includes(name) && !this.#underWay.has(name))
        this.#joined.delete(name)
    this.#learn(answer)
    this.#settleSoon()
  }

  #learn(answer: unknown): void {
    const { channels_info } = (answer ?? {}) as { channels_info?: unknown }
    for (const [name, entry] of this.#entries)
      if (entry.roster.learn(name, channels_info)) this.#tellMembers(entry)
  }

  #tellMembers({ emitter, roster }: Entry): void {
    if (roster.members) emitter.emit('members', roster.members)
  }

  /** After the page's current code: a component that is replaced by another one leaves and joins in one step. */
  #settleSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => this.#settle())
  }

  #settle(): void {
    this.#isDue = false
    const { connection } = this
    for (const [name, { listeners }] of this.#entries)
      if (listeners === 0) this.#entries.delete(name)
    const added = [...this.#entries.keys()].filter(
      (name) => !this.#joined.has(name) && !this.#staysIn(name),
    )
    const removed = [...this.#joined].filter((name) => !this.#entries.has(name))
    const unknown = [...this.#unknown].filter(
      (name) => this.#entries.has(name) && !added.includes(name),
    )
    this.#unknown.clear()
    for (const name of added) this.#joined.add(name)
    for (const name of removed) this.#joined.delete(name)
    if (connection.status !== 'disconnected') {
      this.#call('subscribe', [...added, ...unknown])
      this.#call('unsubscribe', removed)
    } else {
      const kept = connection.channels.filter((name) => !removed.includes(name))
      connection.channels = [...new Set([...kept, ...added])]
    }
  }

  /** Without a call of this object, what the page asked for by itself. */
  #staysIn(name: string): boolean {
    return (
      this.#underWay.get(name)?.type !== 'unsubscribe' && this.connection.channels.includes(name)
    )
  }

  #call(type: Call['type'], names: readonly string[]): void {
    if (names.length > 0) this.#callNow({ type }, names).catch(report)
  }

  async #callNow(call: Call, names: readonly string[]): Promise<void> {
    const rosters = [...this.#entries.values()].map(({ roster }) => roster)
    for (const roster of rosters) roster.expectAnswer()
    for (const name of names) this.#underWay.set(name, call)
    try {
      this.#learn(await this.connection[call.type](names))
    } catch (error) {
      // A callback of the connection tells both.
      if (call.type === 'unsubscribe') return
      this.#refused(names, error as ChannelstreamError)
    } finally {
      for (const roster of rosters) roster.answered()
    }
    for (const name of names) if (this.#underWay.get(name) === call) this.#underWay.delete(name)
  }

  /**
   * Tried again with the next listener, and when the page gets another connection. If the network failed, also later: the
   * page may keep its connection, and then nothing else would try.
   */
  #refused(names: readonly string[], error: ChannelstreamError): void {
    if (error.code === 'unreachable' || error.code === 'timeout')
      setTimeout(() => this.#settleSoon(), RETRY_MS)
    for (const name of names) {
      if (this.connection.channels.includes(name)) this.#unknown.add(name)
      else this.#joined.delete(name)
      this.#entries.get(name)?.emitter.emit('error', error)
    }
  }
}

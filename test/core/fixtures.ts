/** A hub on a memory store with a manual clock, and clients that record their events. */
import { expect } from 'vitest'
import { OutgoingEvent } from '../../src/core/delivery/outgoing-event.ts'
import { Hub } from '../../src/core/hub.ts'
import { ConnectRequest, MessagesRequest, SubscribeRequest } from '../../src/protocol/requests.ts'
import { MemoryStore } from '../../src/store/memory/store.ts'
import { connIdOf } from '../contract/fixtures.ts'
import { ManualClock } from '../helpers/clock.ts'
import { neverYield } from '../helpers/paged-answers.ts'
import { ArraySink } from '../helpers/sink.ts'
import type { z } from 'zod'
import type { LiveConnection } from '../../src/core/delivery/connection.ts'
import type { HubOptions } from '../../src/core/hub-options.ts'
import type { AttachResult, Ending } from '../../src/core/sessions/sessions.ts'
import type { Event } from '../../src/protocol/events.ts'
import type { ConnId, Cursor } from '../../src/protocol/ids.ts'
import type { StoreLimits } from '../../src/store/store.ts'
import type { Store } from '../../src/store/store.ts'

export const STORE_OPTIONS: StoreLimits = {
  channelFrames: 10,
  userFrames: 5,
  gcUsersMs: 86_400_000,
  gcChannelsMs: 60_000,
  maxStateBytes: 1000,
  presenceListLimit: 100,
  maxRemovals: 10_000,
}

export const HUB_OPTIONS: Omit<HubOptions, 'onFault'> = {
  maxOutboxBytes: 2000,
  gcChannelsMs: STORE_OPTIONS.gcChannelsMs,
  heartbeatIntervalMs: 5000,
  gcConnsMs: 15_000,
  resumeWindowMs: 20_000,
  maxMessagesPerRequest: 20,
  maxUsersPerMessage: 100,
  maxChannelsPerRequest: 5,
  maxChannelsPerMessage: 4,
  maxCountsPerRequest: 200,
  maxHistorySize: 50,
  maxStateBytes: 1000,
  maybeYield: neverYield,
}

/** A store that can delay its answers. The calls take effect at once all the same. */
export type Held<Kept extends Store> = Kept & {
  /** The next answers of this method wait until the returned function is called. */
  hold(method: keyof Store): () => void
}

export function heldStore<Kept extends Store>(store: Kept): Held<Kept> {
  const gates = new Map<PropertyKey, Promise<void>>()
  const hold = (method: keyof Store): (() => void) => {
    const { promise, resolve } = deferred()
    gates.set(method, promise)
    return () => {
      gates.delete(method)
      resolve()
    }
  }
  return new Proxy(store, {
    get(_, name) {
      if (name === 'hold') return hold
      const value = Reflect.get(store, name, store) as unknown
      if (typeof value !== 'function') return value
      const call = value.bind(store) as (...given: unknown[]) => unknown
      return (...given: unknown[]) => {
        const answer = call(...given)
        const gate = gates.get(name)
        return gate ? gate.then(() => answer) : answer
      }
    },
  }) as Held<Kept>
}

/** A promise that is resolved manually. */
export function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((keep) => (resolve = keep))
  return { promise, resolve }
}

type ConnectWishes = Omit<Partial<z.input<typeof ConnectRequest>>, 'username' | 'channels'>

/** One hub with its dependencies. */
export class ScriptRunner {
  readonly clock = new ManualClock()
  readonly store: Held<MemoryStore>
  readonly hub: Hub
  readonly faults: unknown[] = []
  #connections = 0

  constructor(options: Partial<StoreLimits & HubOptions> = {}) {
    this.store = heldStore(new MemoryStore(this.clock, { ...STORE_OPTIONS, ...options }))
    this.hub = new Hub(this.store, this.clock, {
      ...HUB_OPTIONS,
      onFault: (error) => void this.faults.push(error),
      ...options,
    })
    this.hub.start()
  }

  /** Connects a user. Returns the connection id. */
  async connect(user: string, channels: string[] = [], wishes: ConnectWishes = {}) {
    const conn_id = connIdOf(++this.#connections)
    const request = ConnectRequest.parse({ conn_id, ...wishes, username: user, channels })
    return (await this.hub.connect(request)).conn_id
  }

  /** Connects a user and opens a stream. Discards the events of that. */
  async enter(user: string, channels: string[] = [], wishes: ConnectWishes = {}): Promise<Client> {
    const client = new Client(this, await this.connect(user, channels, wishes))
    await client.open()
    client.sink.take()
    return client
  }

  async subscribe(connId: ConnId, ...channels: string[]) {
    return this.hub.subscribe(SubscribeRequest.parse({ conn_id: connId, channels }))
  }

  /** Posts messages with these texts, without waiting for the end of the turn. */
  async say(channel: string | null, texts: string | string[], more: object = {}): Promise<void> {
    const list = typeof texts === 'string' ? [texts] : texts
    const messages = list.map((text) => ({ channel, user: 'speaker', message: { text }, ...more }))
    await this.hub.postMessages(MessagesRequest.parse(messages))
  }

  /** Posts a message, and ends the turn so that it is delivered. */
  async saySoon(channel: string | null, texts: string | string[], more?: object): Promise<void> {
    await this.say(channel, texts, more)
    await this.clock.endTurn()
  }
}

/** The state of a browser: one connection and its open sink. */
export class Client {
  sink = new ArraySink()
  connection: LiveConnection | undefined
  readonly #sinks: ArraySink[] = []

  constructor(
    private readonly at: ScriptRunner,
    readonly connId: ConnId,
  ) {}

  /** Opens a sink that may not get attached. */
  async attempt(kind: 'stream' | 'poll' = 'stream', cursor?: Cursor): Promise<AttachResult> {
    this.sink = new ArraySink(kind)
    this.#sinks.push(this.sink)
    const result = await this.at.hub.sessions.attach(this.connId, this.sink, cursor)
    if (result.outcome === 'attached') this.connection = result.connection
    await this.at.clock.endTurn()
    return result
  }

  async open(kind: 'stream' | 'poll' = 'stream', cursor?: Cursor): Promise<ArraySink> {
    const { outcome } = await this.attempt(kind, cursor)
    expect(outcome).toBe('attached')
    return this.sink
  }

  /** Ends the sink in this way. */
  async lose(ending: Ending, sink = this.sink): Promise<void> {
    if (!this.connection) throw new Error('was never open')
    this.at.hub.sessions.lost(this.connection, sink, ending)
    await this.at.clock.endTurn()
  }

  /** Returns the events since the last call, in short form. */
  heard(): string[] {
    return this.sink.take().map(inShort)
  }
}

/** An event in short: the text of a message, otherwise the type and details. */
export function inShort(event: Event): string {
  const late = 'catchup' in event && event.catchup ? ' (late)' : ''
  switch (event.type) {
    case 'message':
      return `${String(event.message?.['text'])}${late}`
    case 'presence':
      return `${event.user} ${event.message.action}${late}`
    case 'gap':
      return `gap: ${[...event.channels, ...(event.private ? ['private'] : [])].join(', ')}`
    case 'message:edit':
      return `edit: ${String(event.message?.['text'])}${late}`
    default:
      return `${event.type}${late}`
  }
}

/** An outgoing event. */
export const outgoing = (n: number, body: object = { n }): OutgoingEvent =>
  new OutgoingEvent(n, `epoch-${n}`, body as OutgoingEvent['body'])

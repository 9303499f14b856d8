import { Hub } from '../../src/core/hub.ts'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { RequestError } from '../../src/protocol/errors.ts'
import { parseCursor } from '../../src/protocol/ids.ts'
import * as Requests from '../../src/protocol/requests.ts'
import { MemoryStore } from '../../src/store/memory/store.ts'
import { ManualClock } from '../helpers/clock.ts'
import { atOnce, neverYield } from '../helpers/paged-answers.ts'
import { ArraySink } from '../helpers/sink.ts'
import type { Batch } from '../../src/core/delivery/batch.ts'
import type { LiveConnection } from '../../src/core/delivery/connection.ts'
import type { Ending } from '../../src/core/sessions/sessions.ts'
import type { CloseReason } from '../../src/protocol/close-codes.ts'
import type { ConnId } from '../../src/protocol/ids.ts'
import type { Store, StoreLimits } from '../../src/store/store.ts'
import type { Client, Driver, Notice, Posted, Transport } from './driver.ts'

export type HubDriverOptions = Driver['options']

const LIMITS = {
  maxMessagesPerRequest: 100,
  maxUsersPerMessage: 100,
  maxChannelsPerRequest: 100,
  maxChannelsPerMessage: 100,
  maxCountsPerRequest: 100,
  maxHistorySize: 100,
  maxStateBytes: 10_000,
  presenceListLimit: 100,
  maxRemovals: 10_000,
  heartbeatIntervalMs: 5_000,
}

/** A sink that behaves like the real ones, and reports when the server ends it. */
class ClientSink extends ArraySink implements Client {
  /** Called when the server expels or abandons the client. */
  readonly onTurn: (type: 'expelled' | 'abandoned', sink: ClientSink) => void
  connection: LiveConnection | undefined
  isSilent = false
  isAnswered = false
  #after: number | undefined

  constructor(
    readonly connId: string,
    readonly transport: Transport,
    private readonly driver: HubDriver,
  ) {
    super(transport === 'poll' ? 'poll' : 'stream')
    this.onTurn = (type, client) => driver.notice({ type, client, at: driver.now })
  }

  get isClosed(): boolean {
    return this.closed !== undefined || this.isAbandoned
  }

  override send(batch: Batch, after = 0): void {
    if (!this.writable) throw new Error('written to a sink that is not writable')
    this.#after ??= after
    super.send(batch)
  }

  override heartbeat(): void {
    super.heartbeat()
    if (this.connection && !this.isSilent) this.driver.hub.sessions.seen(this.connection)
  }

  override close(reason: CloseReason): void {
    if (reason === CLOSE.slowReader) this.onTurn('expelled', this)
    super.close(reason)
  }

  override abandon(): void {
    super.abandon()
    this.onTurn('abandoned', this)
  }

  override release(): undefined {
    const after = this.kind === 'poll' && !this.isAnswered ? this.#after : undefined
    return after as undefined
  }
}

/** The dependencies of a hub. The store has the limits of `storeLimits`. */
export interface HubDriverDeps {
  readonly clock: ManualClock
  readonly store: Store
}

export const storeLimits = (options: HubDriverOptions): StoreLimits => ({ ...LIMITS, ...options })

function inMemory(options: HubDriverOptions): HubDriverDeps {
  const clock = new ManualClock()
  return { clock, store: new MemoryStore(clock, storeLimits(options)) }
}

/** A hub with a manual clock, on a memory store by default. */
export class HubDriver implements Driver {
  readonly clock: ManualClock
  readonly hub: Hub
  readonly epoch: string
  #notices: Notice[] = []
  readonly #faults: unknown[] = []

  constructor(
    readonly options: HubDriverOptions,
    { clock, store }: HubDriverDeps = inMemory(options),
  ) {
    this.clock = clock
    const onFault = (error: unknown) => this.#faults.push(error)
    this.hub = new Hub(store, clock, { ...LIMITS, ...options, maybeYield: neverYield, onFault })
    this.epoch = store.epoch
    noticeEndings(this.hub, (connId) => this.notice({ type: 'ended', connId, at: this.now }))
    this.hub.start()
  }

  get now(): number {
    return this.clock.now()
  }

  notice(notice: Notice): void {
    this.#notices.push(notice)
  }

  notices(): Notice[] {
    return this.#notices.splice(0)
  }

  connect: Driver['connect'] = (request) =>
    unlessRefused(this.hub.connect(Requests.ConnectRequest.parse(request)).then(toldAtOnce))
  subscribe: Driver['subscribe'] = (request) =>
    unlessRefused(this.hub.subscribe(Requests.SubscribeRequest.parse(request)).then(toldAtOnce))
  unsubscribe: Driver['unsubscribe'] = (request) =>
    unlessRefused(this.hub.unsubscribe(Requests.UnsubscribeRequest.parse(request)).then(toldAtOnce))
  configure: Driver['configure'] = (request) =>
    unlessRefused(
      this.hub.configureChannels(Requests.ChannelConfigRequest.parse(request)).then(atOnce),
    )
  setState: Driver['setState'] = (request) =>
    unlessRefused(this.hub.setUserState(Requests.UserStateRequest.parse(request)))
  post: Driver['post'] = (request, isCounted) => {
    const messages = Requests.MessagesRequest.parse(request)
    return unlessRefused<Posted>(
      isCounted ? this.hub.postAndCount(messages) : this.hub.postMessages(messages),
    )
  }
  edit: Driver['edit'] = (request) =>
    unlessRefused(this.hub.editMessages(Requests.EditsRequest.parse(request)))
  remove: Driver['remove'] = (request) =>
    unlessRefused(this.hub.deleteMessages(Requests.DeletesRequest.parse(request)))
  disconnect: Driver['disconnect'] = async (connId) => this.hub.disconnect(connId as ConnId)
  info: Driver['info'] = () => this.hub.info(Requests.InfoOptions.parse({})).then(atOnce)

  async open(connId: string, transport: Transport, cursor: string | undefined) {
    const client = new ClientSink(connId, transport, this)
    const named = cursor === undefined ? undefined : parseCursor(cursor)
    const result = await this.hub.sessions.attach(connId as ConnId, client, named)
    if (result.outcome === 'unknown') return undefined
    if (result.outcome === 'attached') client.connection = result.connection
    return { client, isAnswered: false }
  }

  leave = (client: Client): Promise<void> => this.#lose(client, 'left')
  breakOff = (client: Client): Promise<void> => this.#lose(client, 'broke-off')

  answer(client: Client, arrives: boolean): Promise<void> {
    ;(client as ClientSink).isAnswered = arrives
    return this.#lose(client, 'answered')
  }

  setWritable(client: Client, isWritable: boolean): Promise<void> {
    const sink = client as ClientSink
    sink.writable = isWritable
    if (isWritable && sink.connection) this.hub.sessions.drained(sink.connection, sink)
    return this.clock.endTurn()
  }

  fallSilent(client: Client): void {
    ;(client as ClientSink).isSilent = true
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  async settle(): Promise<void> {
    await this.clock.endTurn()
    if (this.#faults.length > 0) throw this.#faults[0]
  }

  async stop(): Promise<void> {
    await this.hub.stop()
    await this.clock.endTurn()
  }

  #lose(client: Client, ending: Ending): Promise<void> {
    const sink = client as ClientSink
    if (sink.connection) this.hub.sessions.lost(sink.connection, sink, ending)
    return this.clock.endTurn()
  }
}

/** Reports ended connections: whatever the reason, the store drops them. */
export function noticeEndings(hub: Hub, onEnd: (connId: string) => void): void {
  const store = hub['store']
  const drop = store.drop.bind(store)
  store.drop = (connId, onlyIfDue) => {
    onEnd(connId)
    return drop(connId, onlyIfDue)
  }
}

async function unlessRefused<Value>(answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RequestError && error.code === 'INVALID') return undefined
    throw error
  }
}

const toldAtOnce = <Answer extends { channels_info: Parameters<typeof atOnce>[0] }>(
  answer: Answer,
) => ({
  ...answer,
  channels_info: atOnce(answer.channels_info),
})

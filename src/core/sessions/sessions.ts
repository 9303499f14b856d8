import { CLOSE } from '../../protocol/close-codes.ts'
import { channelTopic } from '../../store/store.ts'
import { Batch } from '../delivery/batch.ts'
import { catchUpStart, eventsToSend, topicsToRead, topicsToSubscribe } from './catch-up.ts'
import { Heartbeats } from './heartbeats.ts'
import { LateJoins } from './late-joins.ts'
import { PendingAttaches } from './pending-attaches.ts'
import type { Clock } from '../../lib/clock.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ConnId, Cursor } from '../../protocol/ids.ts'
import type { Attachment, Awaitable, Command, Missed, Store } from '../../store/store.ts'
import type { LiveConnection, Sink } from '../delivery/connection.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Registry } from '../delivery/registry.ts'
import type { CatchUpStart } from './catch-up.ts'
import type { PendingAttach } from './pending-attaches.ts'

export interface SessionTimes {
  readonly heartbeatIntervalMs: number
  /** A connection without life for so long is given up; one that polled is collected. */
  readonly gcConnsMs: number
  /** A stream that broke off may come back within so long. */
  readonly resumeWindowMs: number
}

/**
 * How a sink ended. `left`: the client closed it. `broke-off`: it went away without a word, or the server closed it and
 * asks the client to come back. `answered`: a poll was answered, the next one is expected.
 */
export type Ending = 'left' | 'broke-off' | 'answered'

/** What became of a client that wants to listen. `waits`: a poll while a stream is open; it gets nothing. */
export type AttachResult =
  | { readonly outcome: 'attached'; readonly connection: LiveConnection }
  | { readonly outcome: 'unknown' | 'waits' | 'superseded' }

interface SessionsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly registry: Registry
  readonly outbox: Outbox
  /** Takes care of what fails without a caller to tell. */
  readonly inBackground: (work: Awaitable<unknown>) => void
}

/** The clients that have a connection open on this server: who holds its sink, and what happens when they go. */
export class Sessions {
  readonly heartbeats: Heartbeats
  readonly #pendingAttaches = new PendingAttaches()
  readonly #lateJoins: LateJoins
  #closing: CloseReason | undefined

  constructor(
    private readonly deps: SessionsDeps,
    private readonly times: SessionTimes,
  ) {
    this.heartbeats = new Heartbeats(deps.clock, times.heartbeatIntervalMs, (connection) =>
      this.#beat(connection),
    )
    const expel = this.expel.bind(this)
    this.#lateJoins = new LateJoins({ ...deps, expel })
  }

  /** A client opened the connection. It gets what it missed, then what comes. */
  async attach(connId: ConnId, sink: Sink, cursor?: Cursor): Promise<AttachResult> {
    const pending = this.#pendingAttaches.begin(connId, sink, cursor)
    try {
      const attaching = await this.#attachUpToDate(pending)
      if (this.#closing && attaching.outcome === 'attached')
        this.expel(attaching.connection, this.#closing)
      return attaching
    } catch (error) {
      const connection = this.deps.registry.get(connId)
      if (connection?.sink === sink) this.#detach(connection, this.times.resumeWindowMs)
      throw error
    } finally {
      this.#pendingAttaches.end(pending)
    }
  }

  /** Starts over when the connection changes while the store answers: no client is served from outdated facts. */
  async #attachUpToDate(pending: PendingAttach): Promise<AttachResult> {
    while (!this.#isSuperseded(pending)) {
      const attaching = await this.#tryAttach(pending)
      if (attaching !== 'outdated') return attaching
    }
    return { outcome: 'superseded' }
  }

  /** One attempt: asks the store for the connection, takes it over here, and catches the client up. */
  async #tryAttach(pending: PendingAttach): Promise<AttachResult | 'outdated'> {
    pending.isStale = false
    const reply = await this.deps.store.attach(pending.connId, pending.sink.kind)
    if (pending.isStale) return 'outdated'
    if (typeof reply !== 'object') return this.#refuse(pending, reply)
    if (this.#isSuperseded(pending)) return 'outdated'
    if (this.#hasToWait(pending)) return { outcome: 'waits' }
    const connection = this.#takeOver(pending, reply)
    // An earlier attempt counts as an opening in the store: only the first reply says whether this client returns.
    pending.isReturning ??= reply.returning
    const attachment = { ...reply, returning: pending.isReturning }
    return await this.#catchUp(pending, connection, attachment)
  }

  /** The sink was the connection's, and is no longer. */
  #isSuperseded({ connId, sink, hasHeld }: PendingAttach): boolean {
    return hasHeld && this.deps.registry.get(connId)?.sink !== sink
  }

  /** A poll never takes over from a stream. */
  #hasToWait({ connId, sink }: PendingAttach): boolean {
    return sink.kind === 'poll' && this.deps.registry.get(connId)?.sink?.kind === 'stream'
  }

  /** The store does not give this server the connection. */
  #refuse(
    { connId, sink }: PendingAttach,
    reply: 'waits' | 'superseded' | undefined,
  ): AttachResult {
    if (reply === 'waits') return { outcome: 'waits' }
    if (reply === 'superseded') sink.close(CLOSE.replaced)
    const connection = this.deps.registry.get(connId)
    if (connection?.sink === sink) this.#forget(connection)
    return { outcome: reply ?? 'unknown' }
  }

  /** Makes the sink the connection's, unless an earlier attempt did. */
  #takeOver(pending: PendingAttach, { user, cursor }: Attachment): LiveConnection {
    const connection = this.deps.registry.open(pending.connId, user)
    if (connection.sink === pending.sink) return connection
    pending.hasHeld = true
    this.#hold(connection, pending.sink, cursor)
    return connection
  }

  /** Subscribes, reads what the client missed, and sends it. */
  async #catchUp(
    pending: PendingAttach,
    connection: LiveConnection,
    attachment: Attachment,
  ): Promise<AttachResult | 'outdated'> {
    const start = catchUpStart(this.deps.store, attachment, connection.cursor, pending.cursor)
    const missed = await this.#listen(connection, attachment, start)
    if (pending.isStale || this.#isSuperseded(pending)) return 'outdated'
    this.#openGate(connection, attachment, start, missed)
    return { outcome: 'attached', connection }
  }

  /** The sink of an attached client has ended. Sinks that were superseded may end as they like. */
  lost(connection: LiveConnection, sink: Sink, ending: Ending): void {
    if (connection.superseded === sink) connection.superseded = undefined
    if (connection.sink !== sink) return
    if (ending === 'left') return this.deps.inBackground(this.#leave(connection))
    this.#detach(
      connection,
      ending === 'answered' ? this.times.gcConnsMs : this.times.resumeWindowMs,
    )
  }

  /** The server ends the sink; the client may come back for what it missed. */
  expel(connection: LiveConnection, reason: CloseReason): void {
    this.deps.outbox.flush(connection)
    // A poll takes what it has gathered along, if it is closed before it is given up.
    connection.sink?.close(reason)
    this.#detach(connection, this.times.resumeWindowMs)
  }

  /** The network has taken what a sink was given. */
  drained(connection: LiveConnection, sink: Sink): void {
    if (connection.sink === sink) this.deps.outbox.flush(connection)
  }

  /** The client showed life. */
  seen(connection: LiveConnection): void {
    connection.unansweredSince = undefined
  }

  /** What is being read for clients that open the connection is out of date, and is read again. */
  outdate(connection: LiveConnection): void {
    this.#pendingAttaches.changed(connection.id)
  }

  /** What a store tells the server that holds a connection. */
  onCommand(command: Command): void {
    const { registry, inBackground } = this.deps
    const connection = registry.get(command.connId)
    this.#pendingAttaches.changed(command.connId)
    if (!connection) return
    switch (command.type) {
      case 'joined':
        inBackground(
          this.#lateJoins.follow(
            connection,
            command.channels.map((name) => ({ topic: channelTopic(name), after: command.since })),
          ),
        )
        break
      case 'is-in':
        inBackground(this.#lateJoins.followOnly(connection, command.channels))
        break
      case 'left':
        for (const name of command.channels) registry.unsubscribe(connection, channelTopic(name))
        break
      case 'dropped':
        this.deps.outbox.flush(connection)
        this.#forget(connection)?.close(CLOSE.ended)
        break
      case 'moved':
        this.#handOver(connection)
        break
      default:
        command satisfies never
    }
  }

  /** Those that are being opened as well, and whoever comes later. */
  closeAll(reason: CloseReason): void {
    this.#closing = reason
    for (const connection of [...this.deps.registry.all()]) this.expel(connection, reason)
  }

  #hold(connection: LiveConnection, sink: Sink, cursor: number): void {
    if (connection.sink) this.#supersede(connection, connection.sink)
    else connection.cursor = cursor
    connection.sink = sink
    connection.gate = []
    connection.lateJoins = undefined
    this.seen(connection)
    if (sink.kind === 'stream') this.heartbeats.add(connection)
  }

  /** The client has opened the connection at another server, which gets what this one did not send. */
  #handOver(connection: LiveConnection): void {
    this.deps.outbox.flush(connection)
    const { sink } = connection
    this.#detach(connection, this.times.resumeWindowMs)
    sink?.close(CLOSE.replaced)
  }

  /** The client has closed the connection. Should the store be away, it is ended when it is back. */
  async #leave(connection: LiveConnection): Promise<void> {
    try {
      await this.deps.store.drop(connection.id)
    } catch (error) {
      if (this.deps.registry.get(connection.id) === connection) this.#detach(connection, 0)
      throw error
    }
  }

  /** What was meant for the older sink goes to it; what it did not send is left for the newer one. */
  #supersede(connection: LiveConnection, older: Sink): void {
    this.deps.outbox.flush(connection)
    connection.cursor = older.release() ?? connection.cursor
    connection.pending = Batch.empty
    if (older.kind === 'poll') return
    connection.superseded?.close(CLOSE.replaced)
    connection.superseded = older
  }

  /** Listens first and reads what was missed then: an event in between comes twice here, and is told once. */
  async #listen(
    connection: LiveConnection,
    attachment: Attachment,
    start: CatchUpStart,
  ): Promise<Missed> {
    const { store, registry } = this.deps
    const joined = topicsToSubscribe(attachment)
    await Promise.all(
      joined.map(async ({ topic, after }) => registry.subscribe(connection, topic, after)),
    )
    return store.missed(topicsToRead(attachment, start))
  }

  /** Tells what was missed and what was announced meanwhile, in the order of their numbers; opens the gate. */
  #openGate(
    connection: LiveConnection,
    attachment: Attachment,
    start: CatchUpStart,
    missed: Missed,
  ): void {
    const gate = connection.gate ?? []
    const events = eventsToSend(this.deps, { attachment, start, missed, gate })
    connection.gate = undefined
    connection.caughtUpTo = missed.head
    if (events.length === 0) connection.cursor = missed.head
    for (const event of events) this.deps.outbox.push(connection, event)
  }

  /** A heartbeat, unless the client gave no sign of life for too long. */
  #beat(connection: LiveConnection): void {
    const { sink } = connection
    const now = this.deps.clock.now()
    // Counted from a heartbeat, not from the last sign of life: a server that was paused itself has not asked meanwhile.
    const unansweredSince = (connection.unansweredSince ??= now)
    const { gcConnsMs, heartbeatIntervalMs } = this.times
    if (now - unansweredSince <= Math.max(gcConnsMs - heartbeatIntervalMs, 0))
      return sink?.heartbeat()
    this.#detach(connection, this.times.resumeWindowMs)
    sink?.abandon()
  }

  #detach(connection: LiveConnection, waitMs: number): void {
    const sink = this.#forget(connection)
    connection.cursor = sink?.release() ?? connection.cursor
    this.#pendingAttaches.changed(connection.id)
    this.deps.inBackground(this.deps.store.detach(connection.id, connection.cursor, waitMs))
  }

  /** The connection is not held here any more. Answers the sink that it had. */
  #forget(connection: LiveConnection): Sink | undefined {
    const { sink, superseded } = connection
    connection.sink = undefined
    connection.superseded = undefined
    connection.gate = undefined
    connection.lateJoins = undefined
    connection.pending = Batch.empty
    this.heartbeats.remove(connection)
    this.deps.registry.close(connection)
    superseded?.close(CLOSE.replaced)
    return sink
  }
}

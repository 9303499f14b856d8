import { CLOSE, endedBecause } from '../../protocol/close-codes.ts'
import { formatCursor } from '../../protocol/ids.ts'
import { channelTopic } from '../../store/store.ts'
import { Batch } from '../delivery/batch.ts'
import { catchUpStart, eventsToSend, topicsToSubscribe } from './catch-up.ts'
import { Heartbeats } from './heartbeats.ts'
import { LateJoins } from './late-joins.ts'
import { readMissed } from './missed-part.ts'
import { PendingAttaches } from './pending-attaches.ts'
import { SessionCounts } from './session-counts.ts'
import type { Clock } from '../../lib/clock.ts'
import type { CloseReason } from '../../protocol/close-codes.ts'
import type { ConnId, Cursor } from '../../protocol/ids.ts'
import type { Attachment, Awaitable, Command, Missed, Store } from '../../store/store.ts'
import type { LiveConnection, Sink } from '../delivery/connection.ts'
import type { Outbox } from '../delivery/outbox.ts'
import type { Registry } from '../delivery/registry.ts'
import type { CatchUpStart } from './catch-up.ts'
import type { PendingAttach } from './pending-attaches.ts'
import type { SessionTimes } from './session-times.ts'

/**
 * How a sink ended. `left`: the client closed it. `broke-off`: the network connection was lost, or the server closed
 * the sink and asks the client to reconnect. `answered`: a poll was answered and the client is expected to poll again.
 */
export type Ending = 'left' | 'broke-off' | 'answered'

/**
 * `waits`: a poll while a stream is open; it gets nothing. `superseded`: another client of the connection took over.
 * `unknown`: the store has no such connection.
 */
export type AttachResult =
  | { readonly outcome: 'attached'; readonly connection: LiveConnection }
  | { readonly outcome: 'unknown' | 'waits' | 'superseded' }

interface SessionsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly registry: Registry
  readonly outbox: Outbox
  /** Reports errors of work that no caller waits for. */
  readonly inBackground: (work: Awaitable<unknown>) => void
}

/** Attaches the sinks of clients to the connections of this server, and detaches them. */
export class Sessions {
  readonly heartbeats: Heartbeats
  readonly counts = new SessionCounts()
  readonly #pendingAttaches = new PendingAttaches()
  readonly #lateJoins: LateJoins
  /** Why connections are closed as soon as they attach. Undefined: they are not. */
  closing: CloseReason | undefined

  constructor(
    private readonly deps: SessionsDeps,
    private readonly times: SessionTimes,
  ) {
    this.heartbeats = new Heartbeats(deps.clock, times.heartbeatIntervalMs, (connection) =>
      this.#beat(connection),
    )
    this.#lateJoins = new LateJoins({ ...deps, expel: this.expel.bind(this) })
  }

  /** Attaches a client's sink to the connection. Sends the events that it missed, then live events. */
  async attach(connId: ConnId, sink: Sink, cursor?: Cursor): Promise<AttachResult> {
    const pending = this.#pendingAttaches.begin(connId, sink, cursor)
    try {
      const result = await this.#attachUpToDate(pending)
      if (this.closing && result.outcome === 'attached') this.expel(result.connection, this.closing)
      return result
    } catch (error) {
      const connection = this.deps.registry.get(connId)
      if (connection?.sink === sink) this.#detach(connection, this.times.resumeWindowMs)
      throw error
    } finally {
      this.#pendingAttaches.end(pending)
    }
  }

  /** Repeats the attempt when the connection changes meanwhile, so that no client is served from outdated facts. */
  async #attachUpToDate(pending: PendingAttach): Promise<AttachResult> {
    while (!this.#isSuperseded(pending)) {
      const result = await this.#tryAttach(pending)
      if (result !== 'outdated') return result
    }
    return { outcome: 'superseded' }
  }

  /** Attaches in the store, then here, then catches up. */
  async #tryAttach(pending: PendingAttach): Promise<AttachResult | 'outdated'> {
    pending.isStale = false
    const reply = await this.deps.store.attach(pending.connId, pending.sink.kind)
    if (pending.isStale) return 'outdated'
    if (typeof reply !== 'object') return this.#refuse(pending, reply)
    if (this.#isSuperseded(pending)) return 'outdated'
    if (this.#hasToWait(pending)) return { outcome: 'waits' }
    const connection = this.#takeOver(pending, reply)
    // The store counts every attempt as an opening, so only the first reply shows whether the client returns.
    pending.isReturning ??= reply.returning
    return await this.#catchUp(pending, connection, { ...reply, returning: pending.isReturning })
  }

  /** True if the sink was attached and is no longer. */
  #isSuperseded({ connId, sink, wasAttached }: PendingAttach): boolean {
    return wasAttached && this.deps.registry.get(connId)?.sink !== sink
  }

  /** A poll never takes over from a stream. */
  #hasToWait({ connId, sink }: PendingAttach): boolean {
    return sink.kind === 'poll' && this.deps.registry.get(connId)?.sink?.kind === 'stream'
  }

  /** Handles a reply of the store without an attachment. */
  #refuse({ connId, sink }: PendingAttach, reply?: 'waits' | 'superseded'): AttachResult {
    if (reply === 'waits') return { outcome: 'waits' }
    if (reply === 'superseded') sink.close(CLOSE.replaced)
    const connection = this.deps.registry.get(connId)
    if (connection?.sink === sink) this.#forget(connection)
    return { outcome: reply ?? 'unknown' }
  }

  /** Attaches the sink, unless an earlier attempt did. */
  #takeOver(pending: PendingAttach, { user, cursor }: Attachment): LiveConnection {
    const connection = this.deps.registry.open(pending.connId, user)
    if (connection.sink === pending.sink) return connection
    pending.wasAttached = true
    this.#setSink(connection, pending.sink, cursor)
    return connection
  }

  /** Subscribes, reads the events that the client missed, and sends them. */
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

  /**
   * Returns a cursor for a client that was attached just now, in case that it gets no event. Undefined if there are
   * missed events and the client has a cursor (`named`), which it must keep until it has got them.
   */
  positionOf({ pending, cursor: n }: LiveConnection, named?: Cursor): string | undefined {
    if (named && pending.length > 0) return undefined
    return formatCursor({ epoch: this.deps.store.epoch, n })
  }

  /** Transports call this when the sink of an attached client ends. Superseded sinks end without consequences. */
  lost(connection: LiveConnection, sink: Sink, ending: Ending): void {
    if (connection.superseded === sink) connection.superseded = undefined
    if (connection.sink !== sink) return
    if (ending === 'left') return this.deps.inBackground(this.#leave(connection))
    const { gcConnsMs, resumeWindowMs } = this.times
    this.#detach(connection, ending === 'answered' ? gcConnsMs : resumeWindowMs)
  }

  /** Closes the sink from the server's side. The client may reconnect and gets what it missed. */
  expel(connection: LiveConnection, reason: CloseReason): void {
    this.deps.outbox.flush(connection)
    // A poll answers with the events it has gathered only if it is closed before it is released.
    connection.sink?.close(reason)
    this.#detach(connection, this.times.resumeWindowMs)
  }

  /** Transports call this when the network has taken what the sink was given. */
  drained(connection: LiveConnection, sink: Sink): void {
    if (connection.sink === sink) this.deps.outbox.flush(connection)
  }

  /** Transports call this on every sign of life of the client. */
  seen(connection: LiveConnection): void {
    connection.unansweredSince = undefined
  }

  /** Makes pending attaches of the connection read from the store again. */
  markStale(connection: LiveConnection): void {
    this.#pendingAttaches.markStale(connection.id)
  }

  /** Carries out a command of the store for a connection of this server. */
  onCommand(command: Command): void {
    const { registry, inBackground } = this.deps
    const connection = registry.get(command.connId)
    this.#pendingAttaches.markStale(command.connId)
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
        this.#forget(connection)?.close(endedBecause(command.reason))
        break
      case 'moved':
        this.#handOver(connection)
        break
      default:
        command satisfies never
    }
  }

  /** Closes all connections, also those that are being attached and those that attach later. */
  closeAll(reason: CloseReason): void {
    this.closing = reason
    for (const connection of [...this.deps.registry.all()]) this.expel(connection, reason)
  }

  #setSink(connection: LiveConnection, sink: Sink, cursor: number): void {
    if (connection.sink) this.#supersede(connection, connection.sink)
    else connection.cursor = cursor
    connection.sink = sink
    connection.gate = []
    connection.lateJoins = undefined
    this.seen(connection)
    if (sink.kind === 'stream') this.heartbeats.add(connection)
  }

  /** The client has opened the connection on another server, which sends what this one has not sent. */
  #handOver(connection: LiveConnection): void {
    this.deps.outbox.flush(connection)
    const { sink } = connection
    this.#detach(connection, this.times.resumeWindowMs)
    sink?.close(CLOSE.replaced)
  }

  /** The client has closed the connection. If the store is unavailable, the connection ends when it is back. */
  async #leave(connection: LiveConnection): Promise<void> {
    try {
      await this.deps.store.drop(connection.id)
    } catch (error) {
      if (this.deps.registry.get(connection.id) === connection) this.#detach(connection, 0)
      throw error
    }
  }

  /** Flushes to the older sink. Events that it did not send are left for the newer one. */
  #supersede(connection: LiveConnection, older: Sink): void {
    this.deps.outbox.flush(connection)
    connection.cursor = older.release() ?? connection.cursor
    connection.pending = Batch.empty
    if (older.kind === 'poll') return
    connection.superseded?.close(CLOSE.replaced)
    connection.superseded = older
  }

  /** Subscribes before it reads, so no event is lost in between. An event that arrives both ways is sent once. */
  async #listen(
    connection: LiveConnection,
    attachment: Attachment,
    start: CatchUpStart,
  ): Promise<Missed> {
    const { store, registry } = this.deps
    const subscribed = topicsToSubscribe(attachment).map(async ({ topic, after }) =>
      registry.subscribe(connection, topic, after),
    )
    await Promise.all(subscribed)
    return readMissed(store, attachment, start, connection.sink?.maxAnswerBytes)
  }

  /**
   * Sends the missed events and those that waited at the gate, in the order of their numbers. If only a part was read,
   * the poll that gets it is answered: later events must not come before the rest.
   */
  #openGate(
    connection: LiveConnection,
    attachment: Attachment,
    start: CatchUpStart,
    missed: Missed,
  ): void {
    const gate = connection.gate ?? []
    const events = eventsToSend(this.deps, { attachment, start, missed, gate })
    connection.gate = undefined
    connection.caughtUpTo = missed.through
    if (events.length === 0) connection.cursor = missed.through
    if (connection.sink) this.counts.note(connection.sink.kind, start.returning, events)
    for (const event of events) this.deps.outbox.push(connection, event)
    if (missed.through < missed.head) this.deps.outbox.answer(connection)
  }

  /** Sends a heartbeat, or gives the connection up if the client was silent for too long. */
  #beat(connection: LiveConnection): void {
    const { sink } = connection
    const now = this.deps.clock.now()
    // A client on a slow line gets no heartbeat, which it would have to answer, before it has read what waits.
    if (sink?.progressed?.()) this.seen(connection)
    // Counted from a heartbeat, not from the last sign of life: a paused server sends none, so clients cannot answer.
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
    this.#pendingAttaches.markStale(connection.id)
    this.deps.inBackground(this.deps.store.detach(connection.id, connection.cursor, waitMs))
  }

  /** Removes the connection from this server. Returns the sink that it had. */
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

import { Batch } from './batch.ts'
import { FlushPacer } from './flush-pacer.ts'
import type { Clock } from '../../lib/clock.ts'
import type { LiveConnection } from './connection.ts'
import type { OutgoingEvent } from './outgoing-event.ts'

export interface OutboxCounts {
  /** Events handed to sinks: one for each event and connection. */
  readonly events: number
  /** Batches handed to sinks. */
  readonly writes: number
  /** JSON bytes of those events. */
  readonly bytes: number
  /** Connections given up because their clients read too slowly. */
  readonly slow: number
}

/**
 * Connections that are looked at before any of them is written to. What the processor fetches for them from memory comes
 * at the same time then. Between two writes, which drive everything else out of its caches, it waits for each of them.
 */
const TOGETHER = 16

const isReady = ({ sink }: LiveConnection): boolean => sink?.writable === true

/** How long a flush may write in one turn of the event loop: to some two thousand sockets. Then others have their turn. */
const TURN_MS = 16

/** A flush that has begun. */
interface Flush {
  readonly due: readonly LiveConnection[]
  /** How many of them it has been to. */
  done: number
  tookMs: number
}

/**
 * What waits to be written, and the flush that writes it: at the end of the turn, or a little later where there is one
 * flush after the other (see `Pace`).
 *
 * A sink that is not writable keeps its batch, which grows until the network takes it or the limit is passed; then the
 * connection is closed with a code that says why, and the client finds what it missed when it comes back.
 */
export class Outbox {
  #due: LiveConnection[] = []
  /** Goes on in the next turn. What comes for those whom it has been to waits for the next flush. */
  #flush: Flush | undefined
  readonly #pacer = new FlushPacer()
  #events = 0
  #writes = 0
  #bytes = 0
  #givenUp = 0

  constructor(
    private readonly clock: Clock,
    /** JSON bytes that may wait for one connection. */
    private readonly maxBytes: number,
    /** Called for a connection that has more waiting than that. */
    private readonly giveUp: (connection: LiveConnection) => void,
  ) {}

  push(connection: LiveConnection, event: OutgoingEvent): void {
    if (connection.gate) {
      connection.gate.push(event)
      return
    }
    if (!connection.sink) return
    if (connection.pending === Batch.empty) this.#flushLater(connection)
    connection.pending = connection.pending.then(event)
    if (connection.pending.size > this.maxBytes && !connection.sink.writable) {
      this.#givenUp++
      this.giveUp(connection)
    }
  }

  /** What it has done since the start. */
  counts(): OutboxCounts {
    return { events: this.#events, writes: this.#writes, bytes: this.#bytes, slow: this.#givenUp }
  }

  /** Writes what waits for one connection, if its sink can take it. */
  flush(connection: LiveConnection): void {
    const { sink, pending } = connection
    if (!sink || !pending.last || !sink.writable) return
    const after = connection.cursor
    connection.pending = Batch.empty
    connection.cursor = Math.max(pending.last.n, connection.caughtUpTo)
    this.#events += pending.length
    this.#writes++
    this.#bytes += pending.size
    sink.send(pending, after)
  }

  #flushLater(connection: LiveConnection): void {
    if (this.#due.length === 0 && !this.#flush) this.clock.soon(this.#flushInTime)
    this.#due.push(connection)
  }

  /** Looks again each turn: a timer would come a millisecond late, which is longer than most flushes take. */
  readonly #flushInTime = (): void => {
    const began = this.clock.now()
    if (!this.#flush && began < this.#pacer.begin(this.#due.length))
      return this.clock.soon(this.#flushInTime)
    const flush = (this.#flush ??= { due: this.#due.splice(0), done: 0, tookMs: 0 })
    const ended = this.#writeUntil(flush, began + TURN_MS)
    flush.tookMs += ended - began
    if (flush.done < flush.due.length) return this.clock.soon(this.#flushInTime)
    this.#flush = undefined
    Batch.endFlush()
    this.#pacer.flushed(flush.due.length, ended - flush.tookMs, ended)
    if (this.#due.length > 0) this.clock.soon(this.#flushInTime)
  }

  /** Answers when it ended. */
  #writeUntil(flush: Flush, turnEnd: number): number {
    const { due } = flush
    for (;;) {
      const ready = due.slice(flush.done, flush.done + TOGETHER).filter(isReady)
      for (const connection of ready) this.flush(connection)
      flush.done += TOGETHER
      const now = this.clock.now()
      if (flush.done >= due.length || now >= turnEnd) return now
    }
  }
}

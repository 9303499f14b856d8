import { Histogram, SECONDS } from '../../lib/histogram.ts'
import { Batch } from './batch.ts'
import { FlushPacer } from './flush-pacer.ts'
import type { Clock } from '../../lib/clock.ts'
import type { HistogramView } from '../../lib/histogram.ts'
import type { LiveConnection, Sink } from './connection.ts'
import type { OutgoingEvent } from './outgoing-event.ts'

export interface OutboxCounts {
  /** Events handed to sinks, counted per connection. */
  readonly events: number
  /** Batches handed to sinks. */
  readonly writes: number
  /** JSON bytes of those events. */
  readonly bytes: number
  /** Connections closed as slow consumers. */
  readonly slow: number
  /** Of each flush: seconds from its first event to its end. */
  readonly seconds: HistogramView
}

/**
 * Connections that are read before any of them is written to, so that the processor fetches their memory in parallel. A
 * write evicts the processor's caches: with one connection between two writes it waits for memory each time.
 */
const GROUP_SIZE = 16

const isReady = ({ sink }: LiveConnection): boolean => sink?.writable === true

/** A poll that is answered takes no more events. The next one reads them from the store. */
const isAnswered = (sink: Sink): boolean => sink.kind === 'poll' && !sink.writable

/** How long a flush may write in one event-loop turn: enough for some two thousand sockets. Then other work runs. */
const TURN_MS = 16

/** A flush that has begun. */
interface Flush {
  readonly due: readonly LiveConnection[]
  /** When its first event came. */
  readonly firstAt: number
  /** How many of them were served. */
  done: number
  tookMs: number
}

/**
 * Collects events per connection and flushes them at the end of the event-loop turn, or a little later when flushes
 * follow each other closely (see `FlushPacer`).
 *
 * The batch of a sink that is not writable grows until the network takes it or the limit is exceeded. Then the
 * connection is closed with a code for the reason, and the client catches up when it reconnects.
 */
export class Outbox {
  #due: LiveConnection[] = []
  /** A flush that continues in the next turn. New events for connections it has served wait for the next flush. */
  #flush: Flush | undefined
  readonly #pacer = new FlushPacer()
  readonly #seconds = new Histogram(SECONDS)
  /** When the first event for the next flush came. */
  #firstAt = 0
  #events = 0
  #writes = 0
  #bytes = 0
  #slowConsumers = 0

  constructor(
    private readonly clock: Clock,
    /** Limit of JSON bytes that wait for one connection. */
    private readonly maxBytes: number,
    /** Called for a connection over this limit. */
    private readonly onSlowConsumer: (connection: LiveConnection) => void,
  ) {}

  push(connection: LiveConnection, event: OutgoingEvent): void {
    if (connection.gate) {
      connection.gate.push(event)
      return
    }
    if (!connection.sink || isAnswered(connection.sink)) return
    if (connection.pending === Batch.empty) this.#flushLater(connection)
    connection.pending = connection.pending.append(event)
    if (connection.pending.size > this.maxBytes && !connection.sink.writable) {
      this.#slowConsumers++
      this.onSlowConsumer(connection)
    }
  }

  /** Returns the counts since the start. */
  counts(): OutboxCounts {
    return {
      events: this.#events,
      writes: this.#writes,
      bytes: this.#bytes,
      slow: this.#slowConsumers,
      seconds: this.#seconds.view(),
    }
  }

  /** Writes the batch of one connection if its sink is writable. */
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

  /** Writes the batch of a poll and has it answer, so that no later event is added. */
  answer(connection: LiveConnection): void {
    this.flush(connection)
    connection.sink?.answer?.()
  }

  #flushLater(connection: LiveConnection): void {
    if (this.#due.length === 0) {
      this.#firstAt = this.clock.now()
      if (!this.#flush) this.clock.soon(this.#flushInTime)
    }
    this.#due.push(connection)
  }

  /** Checks again in each turn: a timer would fire up to a millisecond late, and most flushes take less than that. */
  readonly #flushInTime = (): void => {
    const began = this.clock.now()
    if (!this.#flush && began < this.#pacer.earliestStart(this.#due.length))
      return this.clock.soon(this.#flushInTime)
    const flush = (this.#flush ??= this.#begun())
    const ended = this.#writeUntil(flush, began + TURN_MS)
    flush.tookMs += ended - began
    if (flush.done < flush.due.length) return this.clock.soon(this.#flushInTime)
    this.#flush = undefined
    Batch.endFlush()
    this.#seconds.note((ended - flush.firstAt) / 1000)
    this.#pacer.flushed(flush.due.length, ended - flush.tookMs, ended)
    if (this.#due.length > 0) this.clock.soon(this.#flushInTime)
  }

  #begun(): Flush {
    return { due: this.#due.splice(0), firstAt: this.#firstAt, done: 0, tookMs: 0 }
  }

  /** Returns the time when it ended. */
  #writeUntil(flush: Flush, turnEnd: number): number {
    const { due } = flush
    for (;;) {
      const ready = due.slice(flush.done, flush.done + GROUP_SIZE).filter(isReady)
      for (const connection of ready) this.flush(connection)
      flush.done += GROUP_SIZE
      const now = this.clock.now()
      if (flush.done >= due.length || now >= turnEnd) return now
    }
  }
}

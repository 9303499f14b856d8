import type { Batch } from '../../src/core/delivery/batch.ts'
import type { Sink } from '../../src/core/delivery/connection.ts'
import type { CloseReason } from '../../src/protocol/close-codes.ts'
import type { Event } from '../../src/protocol/events.ts'

/** A sink that collects in an array the events that a client would receive. */
export class ArraySink implements Sink {
  readonly events: Event[] = []
  /** The number of events in each write. */
  readonly writes: number[] = []
  heartbeats = 0
  closed: CloseReason | undefined
  isAbandoned = false
  isReleased = false
  writable = true
  held = 0
  /** The result of `release`: the number of the last event that was sent, or undefined if all were. */
  left: number | undefined
  /** Whether the client takes what waits for it. */
  progressed = (): boolean => false

  constructor(readonly kind: 'stream' | 'poll' = 'stream') {}

  send(batch: Batch): void {
    this.writes.push(batch.length)
    for (const event of batch.events()) this.events.push(JSON.parse(event.json) as Event)
  }

  heartbeat(): void {
    this.heartbeats++
  }

  close(reason: CloseReason): void {
    this.closed ??= reason
  }

  abandon(): void {
    this.isAbandoned = true
  }

  release(): number | undefined {
    this.isReleased = true
    return this.left
  }

  /** Returns the events since the last call. */
  take(): Event[] {
    return this.events.splice(0)
  }
}

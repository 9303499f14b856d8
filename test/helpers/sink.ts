import type { Batch } from '../../src/core/delivery/batch.ts'
import type { Sink } from '../../src/core/delivery/connection.ts'
import type { CloseReason } from '../../src/protocol/close-codes.ts'
import type { Event } from '../../src/protocol/events.ts'

/** A sink that writes into an array: what a client would have received, event by event. */
export class ArraySink implements Sink {
  readonly events: Event[] = []
  /** How many events each write held. */
  readonly writes: number[] = []
  heartbeats = 0
  closed: CloseReason | undefined
  isAbandoned = false
  isReleased = false
  writable = true
  held = 0
  /** What `release` answers: the number of the last event that left, or undefined if all did. */
  left: number | undefined

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

  /** What has come since the last call. */
  take(): Event[] {
    return this.events.splice(0)
  }
}

import { firstPlace } from '../../lib/first-place.ts'
import { uuidOf } from './uuid-of.ts'
import type { EventType } from '../../protocol/events.ts'
import type { StoredEvent } from '../store.ts'
import type { KeptEvent } from './history.ts'

/**
 * The last events of a topic, oldest first, for clients that reconnect.
 *
 * `lostThrough` shows how far back it reaches: the number of the newest event that it no longer has, or never had.
 */
export class ReplayBuffer {
  #events: StoredEvent[] = NONE
  /** When each was published, in milliseconds. */
  #times: number[] = NO_TIMES
  #lostThrough: number

  /** `lostThrough`: events up to this number may have been lost before the buffer was created. */
  constructor(lostThrough: number) {
    this.#lostThrough = lostThrough
  }

  get lostThrough(): number {
    return this.#lostThrough
  }

  get newest(): number {
    return this.#events.at(-1)?.n ?? 0
  }

  /** When the oldest event was published. Undefined: there is none. */
  get oldestAt(): number | undefined {
    return this.#times[0]
  }

  /** Returns the event with this number, and when it was published. */
  entry(n: number): KeptEvent | undefined {
    const place = this.#placeAfter(n - 1)
    const event = this.#events[place]
    return event?.n === n ? { event, at: this.#times[place] ?? 0 } : undefined
  }

  push(event: StoredEvent, capacity: number, at = 0): void {
    if (capacity < 1) return this.skip(event.n)
    if (this.#events === NONE) [this.#events, this.#times] = [[], []]
    this.#events.push(event)
    this.#times.push(at)
    while (this.#events.length > capacity) this.#dropOldest()
  }

  /** Sets the events of an empty buffer, and when each was published. Keeps the lists. */
  restore(events: StoredEvent[], times: number[]): void {
    this.#events = events
    this.#times = times
  }

  /** Removes the events that were published at this time or before. They count as lost. */
  dropUntil(time: number): void {
    while ((this.oldestAt ?? Infinity) <= time) this.#dropOldest()
  }

  /** Returns the number of the newest event that was published at this time or before; 0 if there is none. */
  newestUntil(time: number): number {
    const later = this.#times.findIndex((at) => at > time)
    return this.#events[(later < 0 ? this.#times.length : later) - 1]?.n ?? 0
  }

  /** Notes an event that is not kept. */
  skip(n: number): void {
    this.#lostThrough = Math.max(this.#lostThrough, n)
  }

  /** Replaces the first message with this uuid. Returns its number. */
  replaceMessage(uuid: string, change: (event: StoredEvent) => StoredEvent): number | undefined {
    const index = this.#indexOfMessage(uuid)
    const event = this.#events[index]
    if (event) this.#events[index] = change(event)
    return event?.n
  }

  /** Removes the first message with this uuid. A deleted message does not count as lost. Returns its number. */
  removeMessage(uuid: string): number | undefined {
    const index = this.#indexOfMessage(uuid)
    if (index < 0) return undefined
    this.#times.splice(index, 1)
    return this.#events.splice(index, 1)[0]?.n
  }

  /** Returns the first message with this uuid, or else the newest edit or delete of one. */
  about(uuid: string): StoredEvent | undefined {
    const changes = new Set<EventType>(['message:edit', 'message:delete'])
    return (
      this.#events[this.#indexOfMessage(uuid)] ??
      this.#events.findLast((event) => uuidOf(event) === uuid && changes.has(event.body.type))
    )
  }

  #dropOldest(): void {
    this.skip(this.#events.shift()?.n ?? 0)
    this.#times.shift()
  }

  /** Returns the index of the first event with a number above `n`. */
  #placeAfter(n: number): number {
    const events = this.#events
    return firstPlace(0, events.length, (place) => (events[place]?.n ?? 0) > n)
  }

  #indexOfMessage(uuid: string): number {
    return this.#events.findIndex(
      (event) => uuidOf(event) === uuid && event.body.type === 'message',
    )
  }

  /** Returns the oldest `most` events with a number above `n`. */
  after(n: number, most = Infinity): readonly StoredEvent[] {
    if (this.newest <= n) return []
    const first = this.#placeAfter(n)
    return this.#events.slice(first, first + most)
  }
}

/** Shared by all empty buffers: most users never get a private message. */
const NONE: StoredEvent[] = []
const NO_TIMES: number[] = []

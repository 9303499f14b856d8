import type { QueuedEvent, WebhookRules } from '../webhook-queue.ts'

/** Counted for each event in addition to its text. */
const OVERHEAD_BYTES = 100

const REMOVED: QueuedEvent = { n: 0, subject: '', text: '' }

/** Events with consecutive numbers, the oldest first. */
export class QueuedEvents {
  #list: QueuedEvent[] = []
  /** Index of the oldest event in the list. */
  #start = 0
  #bytes = 0
  #newest = 0

  constructor(private readonly limits: Pick<WebhookRules, 'maxEvents' | 'maxBytes'>) {}

  /** The number of the last event that was pushed. */
  get newest(): number {
    return this.#newest
  }

  /** The number of the oldest event, or of the next one if there is none. */
  get oldest(): number {
    return this.#newest - this.#length + 1
  }

  get isFull(): boolean {
    const { maxEvents, maxBytes } = this.limits
    return this.#length > maxEvents || (this.#bytes > maxBytes && this.#length > 0)
  }

  get #length(): number {
    return this.#list.length - this.#start
  }

  /** Goes on after this number, with these events, unless they are not the last ones up to it. */
  restore(newest: number, events: readonly QueuedEvent[]): void {
    if (events.at(-1)?.n === newest) for (const event of events) this.push(event)
    this.#newest = newest
  }

  push(event: QueuedEvent): void {
    this.#newest = event.n
    this.#list.push(event)
    this.#bytes += bytesOf(event)
  }

  /** Returns the events after this number: at most `mostEvents`, and after the first one at most `mostBytes`. */
  after(n: number, mostEvents: number, mostBytes: number): QueuedEvent[] {
    const begin = this.#start + Math.max(0, n + 1 - this.oldest)
    let bytes = 0
    const events: QueuedEvent[] = []
    for (const event of this.#list.slice(begin, begin + mostEvents)) {
      bytes += event.text.length
      if (events.length > 0 && bytes > mostBytes) break
      events.push(event)
    }
    return events
  }

  removeThrough(n: number): void {
    const count = Math.min(this.#length, n + 1 - this.oldest)
    for (let index = this.#start; index < this.#start + count; index++) {
      this.#bytes -= bytesOf(this.#list[index] as QueuedEvent)
      // Its text must not outlive it until the list is cut.
      this.#list[index] = REMOVED
    }
    this.#start += Math.max(0, count)
    // An endpoint that keeps up leaves nothing here that grows old, which would cost more garbage collection than the rest.
    if (this.#start * 2 < this.#list.length) return
    this.#list = this.#list.slice(this.#start)
    this.#start = 0
  }

  /** Removes the oldest tenth, at least one event. Returns the number of the last removed event. */
  dropTenth(): number {
    const through = this.oldest - 1 + Math.ceil(this.#length / 10)
    this.removeThrough(through)
    return through
  }
}

const bytesOf = ({ subject, text }: QueuedEvent): number =>
  OVERHEAD_BYTES + 2 * (subject.length + text.length)

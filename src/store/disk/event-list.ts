import { firstPlace } from '../../lib/first-place.ts'
import type { StoredEvent } from '../store.ts'

/** The events of a channel as data files tell them, by number. Most come in order; an array is the fastest for that. */
export class EventList {
  readonly #events: StoredEvent[] = []
  /** When each was published. */
  readonly #times: number[] = []
  /** Numbers of events in the list that were deleted: taking out each would move all later ones. */
  readonly #deleted = new Set<number>()

  /** Adds the event, or replaces the one with its number. */
  set(event: StoredEvent, at: number): void {
    if (this.#deleted.size > 0) this.#deleted.delete(event.n)
    const newest = this.#events.at(-1)
    if (newest && newest.n >= event.n) return this.#replace(event, at)
    this.#events.push(event)
    this.#times.push(at)
  }

  delete(n: number): void {
    if (this.#events[this.#placeOf(n)]?.n === n) this.#deleted.add(n)
  }

  /** Returns the events from number `first` on, in order, and when each was published. */
  from(first: number): { readonly events: StoredEvent[]; readonly times: number[] } {
    const place = this.#placeOf(first)
    const [events, times] = [this.#events.slice(place), this.#times.slice(place)]
    if (this.#deleted.size === 0) return { events, times }
    const isLeft = events.map(({ n }) => !this.#deleted.has(n))
    const left = <Value>(values: readonly Value[]): Value[] =>
      values.filter((_, index) => isLeft[index])
    return { events: left(events), times: left(times) }
  }

  #replace(event: StoredEvent, at: number): void {
    const place = this.#placeOf(event.n)
    const replaced = this.#events[place]?.n === event.n ? 1 : 0
    this.#events.splice(place, replaced, event)
    this.#times.splice(place, replaced, at)
  }

  /** Returns the place of the first event with this number or a larger one. */
  #placeOf(n: number): number {
    const events = this.#events
    return firstPlace(0, events.length, (place) => (events[place]?.n ?? 0) >= n)
  }
}

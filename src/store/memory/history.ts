import { firstPlace } from '../../lib/first-place.ts'
import { uuidOf } from './uuid-of.ts'
import type { HistoryPart, HistoryRange, NumberRange, StoredEvent } from '../store.ts'

/** A kept event, and when it was published, in milliseconds of the clock. */
export interface KeptEvent {
  readonly event: StoredEvent
  readonly at: number
}

/** Messages per record of a channel. `part` reads more. */
const RECORD_MESSAGES = 200

/** Histories with more messages than this have an index by uuid. */
const LONG = 100

/**
 * The stored messages of a channel, oldest first.
 *
 * A removed message leaves a hole until there are more holes than messages, so that no operation moves all others. To
 * find a message by its uuid or its number does not take longer in a long history.
 */
export class History {
  #entries: Entry[] = NO_ENTRIES
  /** When each was published, in milliseconds. */
  #times: number[] = NO_TIMES
  /** The place of the oldest message. */
  #first = 0
  #size = 0
  #index: UuidIndex | undefined

  /** `long`: a history of more messages has an index. */
  constructor(private readonly long = LONG) {}

  get size(): number {
    return this.#size
  }

  /** When the oldest message was published. Undefined: there is none. */
  get oldestAt(): number | undefined {
    return this.#size === 0 ? undefined : this.#times[this.#first]
  }

  /** The number of the oldest message. Undefined: there is none. */
  get oldest(): number | undefined {
    return this.#size === 0 ? undefined : this.#numberAt(this.#first)
  }

  /** Returns the message with this number, and when it was published. */
  entry(n: number): KeptEvent | undefined {
    const place = this.#placeAfter(n - 1)
    const event = this.#entries[place]
    if (typeof event !== 'object' || event.n !== n) return undefined
    return { event, at: this.#times[place] ?? 0 }
  }

  push(event: StoredEvent, at: number): void {
    if (this.#entries === NO_ENTRIES) [this.#entries, this.#times] = [[], []]
    const place = this.#entries.push(event) - 1
    this.#times.push(at)
    this.#size++
    if (this.#index) this.#index.add(uuidOf(event), place)
    else if (this.#size > this.long) this.#index = new UuidIndex(this.#entries)
  }

  /** Sets the messages of an empty history, and when each was published. Keeps the lists. */
  restore(events: StoredEvent[], times: number[]): void {
    this.#entries = events
    this.#times = times
    this.#size = events.length
    if (this.#size > this.long) this.#index = new UuidIndex(events)
  }

  /** Removes the oldest messages, so that `size` remain. */
  trimTo(size: number): void {
    if (size <= this.long / 2) this.#index = undefined
    while (this.#size > size) this.#dropOldest()
  }

  /** Removes at most `most` messages that were published at this time or before. */
  dropUntil(time: number, most: number): void {
    for (let left = most; left > 0 && (this.oldestAt ?? Infinity) <= time; left--)
      this.#dropOldest()
  }

  /** Returns the oldest message with this uuid. */
  find(uuid: string): StoredEvent | undefined {
    const found = this.#entries[this.#placeOf(uuid)]
    return typeof found === 'object' ? found : undefined
  }

  /** Replaces the oldest message with this uuid. Returns its number. */
  replace(uuid: string, change: (event: StoredEvent) => StoredEvent): number | undefined {
    const place = this.#placeOf(uuid)
    const event = this.#entries[place]
    if (typeof event !== 'object') return undefined
    this.#entries[place] = change(event)
    return event.n
  }

  /** Removes the oldest message with this uuid. Returns its number. */
  remove(uuid: string): number | undefined {
    const place = this.#placeOf(uuid)
    if (place < 0) return undefined
    const n = this.#numberAt(place)
    if (place === this.#first) this.#dropOldest()
    else this.#remove(place)
    return n
  }

  /** Returns a part of the messages that were published after `expired`. */
  part(
    { after = -1, before = Infinity, isBackward, most }: HistoryRange,
    expired: number,
  ): HistoryPart {
    const begin = Math.max(this.#placeAfter(after), this.#placeAfterTime(expired))
    const end = before === Infinity ? this.#entries.length : this.#placeAfter(before - 1)
    const events: StoredEvent[] = []
    for (let step = 0; step < end - begin; step++) {
      const event = this.#entries[isBackward ? end - 1 - step : begin + step]
      if (typeof event !== 'object') continue
      if (events.length >= most) return { events, isMore: true }
      events.push(event)
    }
    return { events, isMore: false }
  }

  /** Returns the newest `most` of the messages that were published after `expired`, or the first part of them. */
  newest(
    most: number,
    expired: number,
  ): { readonly history: readonly StoredEvent[]; readonly moreHistory?: NumberRange } {
    const begin = Math.max(this.#placeOfNewest(most), this.#placeAfterTime(expired))
    const range = { after: this.#numberAt(begin) - 1, isBackward: false, most: RECORD_MESSAGES }
    const { events, isMore } = this.part(range, expired)
    if (!isMore) return { history: events }
    const through = this.#numberAt(this.#entries.length - 1)
    return { history: events, moreHistory: { after: events.at(-1)?.n ?? range.after, through } }
  }

  /** Returns the place of the oldest of the newest `most` messages. */
  #placeOfNewest(most: number): number {
    if (most >= this.#size) return this.#first
    let place = this.#entries.length
    for (let left = most; left > 0;) if (typeof this.#entries[--place] === 'object') left--
    return place
  }

  #placeOf(uuid: string): number {
    if (this.#index) return this.#index.placeOf(uuid)
    const isIt = (entry: Entry): boolean => typeof entry === 'object' && uuidOf(entry) === uuid
    return this.#entries.findIndex(isIt)
  }

  /** Returns the place of the first entry with a number above `n`. */
  #placeAfter(n: number): number {
    return this.#search((place) => this.#numberAt(place) > n)
  }

  #placeAfterTime(time: number): number {
    return this.#search((place) => (this.#times[place] ?? Infinity) > time)
  }

  /** Returns the first place that is right. All places after it are right too. */
  #search(isRight: (place: number) => boolean): number {
    return firstPlace(this.#first, this.#entries.length, isRight)
  }

  #numberAt(place: number): number {
    const entry = this.#entries[place]
    return typeof entry === 'object' ? entry.n : (entry ?? Infinity)
  }

  #dropOldest(): void {
    this.#remove(this.#first)
    while (this.#first < this.#entries.length && typeof this.#entries[this.#first] === 'number')
      this.#first++
    if (this.#first * 2 < this.#entries.length) return
    this.#index?.shift(this.#first)
    this.#entries.splice(0, this.#first)
    this.#times.splice(0, this.#first)
    this.#first = 0
  }

  #remove(place: number): void {
    const event = this.#entries[place]
    if (typeof event !== 'object') return
    this.#entries[place] = event.n
    this.#size--
    this.#index?.remove(uuidOf(event), place)
    const holes = this.#entries.length - this.#first - this.#size
    if (holes > this.#size) this.#close()
  }

  /** Closes all holes. */
  #close(): void {
    const isMessage = (place: number): boolean => typeof this.#entries[place] === 'object'
    this.#times = this.#times.filter((_, place) => isMessage(place))
    this.#entries = this.#entries.filter((_, place) => isMessage(place))
    this.#first = 0
    if (this.#index) this.#index = new UuidIndex(this.#entries)
  }
}

/** A message, or the number of one that was removed. */
type Entry = StoredEvent | number

/** Shared by all empty histories: most channels keep none. */
const NO_ENTRIES: Entry[] = []
const NO_TIMES: number[] = []

/** The places of messages by uuid, oldest first. */
class UuidIndex {
  readonly #places = new Map<string, number | number[]>()
  /** What to subtract from the noted places. */
  #shift = 0

  constructor(entries: readonly Entry[]) {
    for (const [place, entry] of entries.entries())
      if (typeof entry === 'object') this.add(uuidOf(entry), place)
  }

  /** Returns the place of the oldest message with this uuid, or -1. */
  placeOf(uuid: string): number {
    const places = this.#places.get(uuid)
    const first = typeof places === 'object' ? places[0] : places
    return first === undefined ? -1 : first - this.#shift
  }

  /** Notes a message that is newer than all others. */
  add(uuid: string, place: number): void {
    const noted = place + this.#shift
    const places = this.#places.get(uuid)
    if (typeof places === 'object') places.push(noted)
    else this.#places.set(uuid, places === undefined ? noted : [places, noted])
  }

  remove(uuid: string, place: number): void {
    const places = this.#places.get(uuid)
    if (typeof places === 'object' && places.length > 1)
      places.splice(places.indexOf(place + this.#shift), 1)
    else this.#places.delete(uuid)
  }

  /** Notes that all messages have moved by so many places to the front. */
  shift(count: number): void {
    this.#shift += count
  }
}

/** A history with random operations, and a model of it that is as simple as possible: a list. */
import fc from 'fast-check'
import { expect } from 'vitest'
import {
  channelName,
  edit,
  message,
  retraction,
  settingsMap,
  textOf,
  uuidOf,
} from '../contract/fixtures.ts'
import type { ChannelSettings } from '../../src/protocol/requests.ts'
import type { HistoryRange, Publication, Store, StoredEvent } from '../../src/store/store.ts'
import type { ManualClock } from '../helpers/clock.ts'

const ROOM = channelName('room')
/** Few, so that several messages have one. */
const uuid = fc.nat(6).map(uuidOf)
const text = fc.nat(99).map(String)

const posted = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('message'), uuid, text, noHistory: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit'), uuid, text }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete'), uuid }) },
)
type Posted = {
  readonly kind: string
  readonly uuid: string
  readonly text?: string
  readonly noHistory?: boolean
}

const OPERATIONS = {
  publish: fc.array(posted, { minLength: 1, maxLength: 8 }).map((list) => ({ list })),
  configure: fc.record({
    store_history: fc.constantFrom(true, true, true, false),
    history_size: fc.constantFrom(0, 1, 3, 5, 9, 9, 20),
    history_ttl: fc.constantFrom(0, 0, 4, 9),
  }),
  advance: fc.record({ seconds: fc.constantFrom(1, 3, 5) }),
  sweep: fc.constant({}),
  /** Reads the next page of a reader, or the first one of a new reader. */
  page: fc.record({ reader: fc.nat(2), most: fc.constantFrom(1, 2, 5), isBackward: fc.boolean() }),
  /** `from`, `to`: numbers, counted back from the newest event. */
  range: fc.record({
    from: fc.nat(30),
    to: fc.nat(30),
    most: fc.constantFrom(1, 3, 100),
    isBackward: fc.boolean(),
  }),
  record: fc.record({ newest: fc.constantFrom<(boolean | number)[]>(true, 0, 1, 4) }),
}
type Name = keyof typeof OPERATIONS
type ValueOf<Of> = Of extends fc.Arbitrary<infer Value> ? Value : never
type Operation = {
  [Do in Name]: { readonly do: Do } & ValueOf<(typeof OPERATIONS)[Do]>
}[Name]

const WEIGHTS: Record<Name, number> = {
  publish: 10,
  configure: 2,
  advance: 2,
  sweep: 1,
  page: 6,
  range: 3,
  record: 2,
}

export const historyOperations = fc.array(
  fc.oneof(
    ...(Object.keys(OPERATIONS) as Name[]).map((name) => ({
      weight: WEIGHTS[name],
      arbitrary: (OPERATIONS[name] as fc.Arbitrary<object>).map(
        (details) => ({ do: name, ...details }) as Operation,
      ),
    })),
  ),
  { maxLength: 60, size: 'max' },
)

interface Kept {
  readonly n: number
  readonly uuid: string
  readonly at: number
  readonly text: string
}

/** The expected history. */
class Model {
  #kept: Kept[] = []
  settings: Pick<ChannelSettings, 'store_history' | 'history_size' | 'history_ttl'> = {
    store_history: true,
    history_size: 9,
    history_ttl: 0,
  }

  /** Oldest first. */
  shown(now: number): readonly Kept[] {
    const { history_ttl: ttl } = this.settings
    return this.#kept.filter(({ at }) => ttl === 0 || at + ttl * 1000 > now)
  }

  trim(): void {
    const { history_size: size } = this.settings
    this.#kept = size === 0 ? [] : this.#kept.slice(-size)
  }

  publish(n: number, now: number, { kind, uuid: id, text: said = '', noHistory }: Posted): void {
    const place = this.#kept.findIndex((message) => message.uuid === id)
    const found = this.#kept[place]
    if (kind === 'edit' && found) this.#kept[place] = { ...found, text: said }
    if (kind === 'delete' && found) this.#kept.splice(place, 1)
    if (kind !== 'message' || noHistory || !this.settings.store_history) return
    this.#kept.push({ n, uuid: id, at: now, text: said })
    this.trim()
  }

  /** The sweep removes for good what a longer `history_ttl` would show again. */
  forget(now: number): void {
    this.#kept = [...this.shown(now)]
  }
}

const publicationOf = ({ kind, ...wishes }: Posted): Publication => {
  if (kind === 'edit') return edit('room', wishes)
  return kind === 'delete' ? retraction('room', wishes) : message('room', wishes)
}

const shortForm = (events: readonly StoredEvent[]) =>
  events.map((event) => [event.n, event.body.uuid, textOf(event)])
const expectedForm = (kept: readonly Kept[]) =>
  kept.map(({ n, uuid: id, text: said }) => [n, id, said])

/** Plays operations in a store, and compares everything that it returns with the model. */
export class HistoryPlay {
  readonly #model = new Model()
  #head = 0
  readonly #readers = new Map<number, Pick<HistoryRange, 'isBackward' | 'after' | 'before'>>()

  constructor(
    private readonly store: Store,
    private readonly clock: ManualClock,
  ) {}

  async play(operations: readonly Operation[]): Promise<void> {
    await this.#configure(this.#model.settings)
    this.#head = (await this.store.missed([])).head
    for (const operation of operations) await this.#perform(operation)
    for (const isBackward of [false, true]) await this.#expectPart({ isBackward, most: 100 })
  }

  async #perform(operation: Operation): Promise<void> {
    switch (operation.do) {
      case 'publish':
        await this.store.publish(operation.list.map(publicationOf))
        for (const each of operation.list) this.#model.publish(++this.#head, this.clock.now(), each)
        break
      case 'configure':
        await this.#configure(operation)
        break
      case 'advance':
        await this.clock.advance(operation.seconds * 1000)
        break
      case 'sweep':
        await this.#sweep()
        break
      case 'page':
        await this.#page(operation)
        break
      case 'range':
        await this.#expectPart({
          ...operation,
          after: Math.max(0, this.#head - operation.from),
          before: Math.max(0, this.#head - operation.to),
        })
        break
      case 'record':
        await this.#expectRecord(operation.newest)
        break
      default:
        operation satisfies never
    }
  }

  async #configure(settings: Model['settings']): Promise<void> {
    const { store_history, history_size, history_ttl } = settings
    await this.store.configure(settingsMap({ room: { store_history, history_size, history_ttl } }))
    this.#model.settings = { store_history, history_size, history_ttl }
    this.#model.trim()
  }

  /** Sweeps later than the store's deadlines, which are late by up to 300 ms. */
  async #sweep(): Promise<void> {
    const due = this.clock.now()
    await this.clock.advance(300)
    await this.store.sweep()
    this.#model.forget(due)
  }

  /** A reader goes on from its last message. Whatever happens between two pages, it misses nothing. */
  async #page({ reader, most, isBackward }: Extract<Operation, { do: 'page' }>): Promise<void> {
    const at = this.#readers.get(reader) ?? { isBackward }
    const { events, isMore } = await this.#expectPart({ ...at, most })
    const last = events.at(-1)?.n
    if (!isMore) this.#readers.delete(reader)
    else this.#readers.set(reader, { ...at, [at.isBackward ? 'before' : 'after']: last })
  }

  async #expectPart(range: HistoryRange) {
    const { after = 0, before = Infinity, isBackward, most } = range
    const found = await this.store.history(ROOM, range)
    if (!found) throw new Error('the channel is unknown')
    const within = this.#model.shown(this.clock.now()).filter(({ n }) => n > after && n < before)
    const expected = isBackward ? within.toReversed() : within
    expect(shortForm(found.events)).toEqual(expectedForm(expected.slice(0, most)))
    expect(found.isMore).toBe(expected.length > most)
    return found
  }

  async #expectRecord(newest: boolean | number): Promise<void> {
    const [record] = await this.store.channels([ROOM], { users: false, history: newest })
    const shown = this.#model.shown(this.clock.now())
    const most = newest === true ? shown.length : Number(newest)
    expect(shortForm(record?.history ?? [])).toEqual(
      expectedForm(most === 0 ? [] : shown.slice(-most)),
    )
  }
}

/** Reads and writes whole snapshots. */
import { VERSION } from '../../version.ts'
import { FORMAT, readRecord, writeRecord } from './records.ts'
import { SnapshotError } from './snapshot-error.ts'
import type {
  AnyRecord,
  ChannelEventRecord,
  Item,
  PrivateEventRecord,
  SnapshotHead,
} from './records.ts'

export type Facts = Omit<SnapshotHead, 'type' | 'format' | 'version'>

/** What a store keeps. */
export interface Content {
  readonly facts: Facts
  readonly items: AsyncIterable<Item> | Iterable<Item>
}

/** What a store keeps, while nothing else uses the store. */
export interface OpenContent extends Content {
  /** Events that wait for a webhook. They are not part of the content. */
  readonly waitingForWebhooks: number
  release(): Promise<void> | void
}

/** Yields the lines of a snapshot. */
export async function* writeSnapshot({ facts, items }: Content): AsyncGenerator<string, void> {
  yield writeRecord({ ...facts, type: 'snapshot', format: FORMAT, version: VERSION })
  let records = 1
  for await (const item of items) {
    yield writeRecord(item)
    records++
  }
  yield writeRecord({ type: 'end', records })
}

/** Reads a snapshot from parts of its text. Throws `SnapshotError`, which names the line, if it is not whole and right. */
export async function readSnapshot(input: AsyncIterable<Buffer | string>): Promise<Content> {
  const records = readRecords(input)
  const first = await records.next()
  if (first.done === true || first.value.type !== 'snapshot')
    throw new SnapshotError('This is not a snapshot of channelstream export')
  return { facts: first.value, items: itemsIn(records, first.value) }
}

async function* itemsIn(
  records: AsyncIterator<AnyRecord>,
  facts: Facts,
): AsyncGenerator<Item, void> {
  const check = new References(facts)
  for (let line = 2; ; line++) {
    const next = await records.next()
    if (next.done === true)
      throw new SnapshotError('The snapshot is cut off: its last record is missing')
    const { value } = next
    if (value.type === 'end') {
      if (value.records !== line - 1)
        throw new SnapshotError(
          `The snapshot is not whole: it had ${value.records} records, and has ${line - 1}`,
        )
      const after = await records.next()
      if (after.done !== true) throw new SnapshotError('The snapshot goes on after its end')
      return
    }
    if (value.type === 'snapshot')
      throw new SnapshotError(`Line ${line} of the snapshot begins another one`)
    const fault = check.faultOf(value)
    if (fault !== undefined) throw new SnapshotError(`Line ${line} of the snapshot ${fault}`)
    yield value
  }
}

/** A store relies on what a record refers to. */
class References {
  /** The number of the newest event of each so far: of its replay buffer, and of the history of a channel. */
  readonly #users = new Map<string, Newest>()
  readonly #channels = new Map<string, Newest>()
  readonly #connections = new Set<string>()

  constructor(private readonly facts: Facts) {}

  faultOf(item: Item): string | undefined {
    switch (item.type) {
      case 'user':
        return this.#added(this.#users, item.name)
      case 'channel':
        return this.#added(this.#channels, item.name)
      case 'event':
        return this.#unknown(this.#channels, [item.channel]) ?? this.#faultOfEvent(item)
      case 'private_event':
        return this.#unknown(this.#users, item.users) ?? this.#faultOfPrivateEvent(item)
      case 'connection': {
        const names = item.channels.map(([name]) => name)
        if (new Set(names).size < names.length) return 'names a channel twice'
        if (this.#connections.has(item.id)) return `has ${JSON.stringify(item.id)} a second time`
        this.#connections.add(item.id)
        return this.#unknown(this.#users, [item.user]) ?? this.#unknown(this.#channels, names)
      }
      case 'published_key':
        return undefined
    }
  }

  #added(known: Map<string, Newest>, name: string): string | undefined {
    if (known.has(name)) return `has ${JSON.stringify(name)} a second time`
    known.set(name, { history: 0, replay: 0 })
    return undefined
  }

  #unknown(known: ReadonlyMap<string, Newest>, names: readonly string[]): string | undefined {
    const missing = names.find((name) => !known.has(name))
    return missing === undefined ? undefined : `names ${JSON.stringify(missing)}, which is unknown`
  }

  #faultOfEvent({ n, channel, in: where }: ChannelEventRecord): string | undefined {
    const newest = this.#channels.get(channel)
    const inHistory = where === 'replay' ? undefined : this.#faultOfNumber(n, newest, 'history')
    const inReplay = where === 'history' ? undefined : this.#faultOfNumber(n, newest, 'replay')
    return inHistory ?? inReplay
  }

  #faultOfPrivateEvent({ n, users }: PrivateEventRecord): string | undefined {
    const faults = users.map((name) => this.#faultOfNumber(n, this.#users.get(name), 'replay'))
    return faults.find((fault) => fault !== undefined)
  }

  /** Stores search by halves. */
  #faultOfNumber(n: number, newest: Newest | undefined, where: keyof Newest): string | undefined {
    const { head } = this.facts
    if (n > head) return `has event ${n}, but the newest is ${head}`
    if (!newest || n <= newest[where]) return `has event ${n} after ${newest?.[where]}`
    newest[where] = n
    return undefined
  }
}

interface Newest {
  history: number
  replay: number
}

async function* readRecords(
  input: AsyncIterable<Buffer | string>,
): AsyncGenerator<AnyRecord, void> {
  let number = 0
  for await (const line of linesOf(input)) {
    number++
    try {
      yield readRecord(line)
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error
      throw new SnapshotError(`Line ${number} of the snapshot ${error.message}`)
    }
  }
}

/** Not `node:readline`: it also ends lines at U+2028 and U+2029, which texts in JSON may contain. */
async function* linesOf(input: AsyncIterable<Buffer | string>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const part of input) {
    const text = typeof part === 'string' ? part : decoder.decode(part, { stream: true })
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

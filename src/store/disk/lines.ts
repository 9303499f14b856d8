/**
 * The lines of data files: JSON arrays that begin with a letter. Described in docs/durability.md.
 *
 * Each line replaces what earlier lines said about the same thing. So it does no harm to read a line again, or to read
 * an older one before the newer one.
 */
import { writeForQuickReading } from '../../protocol/exact-numbers.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { ChannelSettings } from '../../protocol/requests.ts'
import type { Delivery, EventBody, State } from '../store.ts'
import type { EndpointStatus, ResyncReason } from '../webhook-queue.ts'

/** Where an event of a channel is: in the history, in the replay buffer, or in both. */
export const IN_HISTORY = 1
export const IN_FRAMES = 2
/** Another line tells of the other place, where the event differs. */
export const DIFFERS = 4

/** What a connection is: no client has opened it, one has opened it before, one has a stream open. */
export const NEVER_OPENED = 0
export const OPENED = 1
export const STREAMING = 2

/** 0: to everybody. */
export type KeptDelivery = Delivery | 0

/** Times are of the store's clock (`StoreTime`), except for wall times. */
export interface StoreFacts {
  readonly head: number
  readonly forgottenThrough: number
  readonly messages: number
  readonly deliveries: number
  /** The number of the newest webhook event. */
  readonly newestQueued: number
  readonly now: number
  readonly wallTime: number
}

export type Line =
  | ['m', StoreFacts]
  | ['u', name: UserName, uuid: string, state: State, publicKeys: readonly string[]]
  | ['v', name: UserName, lostThrough: number, webhookSeq: number, due: number | null]
  | ['-u', name: UserName]
  /** `since`: alternating channels and numbers. */
  | [
      ...['n', id: ConnId, user: UserName, cursor: number, opened: number],
      ...since: (ChannelName | number)[],
    ]
  | ['d', id: ConnId, cursor: number, opened: number]
  | ['-n', id: ConnId]
  | ['c', name: ChannelName, uuid: string, settings: ChannelSettings, at: number, ordinal: number]
  | [
      't',
      ...[name: ChannelName, lastActive: number, lostThrough: number],
      ...[oldest: number | null, webhookSeq: number, due: number | null],
    ]
  | ['-c', name: ChannelName]
  /** Null: removed, and not joined again since. */
  | ['f', channel: ChannelName, who: string, floor: number | null]
  | ['-f', channel: ChannelName, who: string]
  | [
      'e',
      ...[channel: ChannelName, n: number, at: number, where: number],
      ...[body: EventBody, delivery: KeptDelivery],
    ]
  | ['-e', channel: ChannelName, n: number]
  | ['p', n: number, users: readonly UserName[], body: EventBody, delivery: KeptDelivery]
  | ['-p', n: number, users: readonly UserName[]]
  | ['w', n: number, subject: string, text: string]
  /** The number of the oldest webhook event that is still queued. */
  | ['k', oldest: number]
  | [
      'W',
      ...[id: string, at: number, resync: ResyncReason | null],
      ...[untoldDrops: number, dropped: number, status: EndpointStatus | null],
    ]
  | [
      'i',
      ...[key: string, fingerprint: string, status: number, text: string],
      ...[error: string | null, due: number],
    ]
  | ['o', key: string, due: number]
  | ['s', name: string, due: number]
  | ['-s', name: string]

/** A line with this letter. */
export type LineOf<Kind extends Line[0]> = Extract<Line, readonly [Kind, ...unknown[]]>

export const keptDelivery = (delivery: Delivery): KeptDelivery => {
  const { pmUsers, excludeUsers, noHistory, philote } = delivery
  return pmUsers.length > 0 || excludeUsers.length > 0 || noHistory || philote ? delivery : 0
}

const PLAIN: Delivery = { pmUsers: [], excludeUsers: [], noHistory: false }
export const deliveryOf = (kept: KeptDelivery): Delivery => (kept === 0 ? PLAIN : kept)

/** How the line of an event begins. */
export const EVENT = '["e",'

/** Writes the line of an event whose body and delivery are text. */
export const eventLine = (
  [channel, n, at, where]: readonly [ChannelName, number, number, number],
  text: string,
): string => `${EVENT}${JSON.stringify(channel)},${n},${at},${where},${text}]`

/** Joined to buffers of about this size. */
const CHUNK_CHARACTERS = 65_536

/** The content of a frame. */
export interface Payload {
  readonly chunks: readonly Buffer[]
  readonly bytes: number
  /** It has numbers that do not fit a double. */
  readonly isExact: boolean
}

/** Collects lines and encodes them. */
export class LineWriter {
  #text = ''
  #chunks: Buffer[] = []
  #bytes = 0
  #isExact = false

  get isEmpty(): boolean {
    return this.#text === '' && this.#chunks.length === 0
  }

  get bytes(): number {
    return this.#bytes + this.#text.length
  }

  add(line: Line): void {
    const text = writeForQuickReading(line)
    if (text.startsWith(' ')) this.#isExact = true
    this.addText(text)
  }

  /** Adds a line that has no exact numbers. */
  addText(text: string): void {
    this.#text += this.isEmpty ? text : `,\n${text}`
    if (this.#text.length > CHUNK_CHARACTERS) this.#toChunk()
  }

  /** Returns what was collected, and begins again. */
  take(): Payload {
    this.#toChunk()
    const payload = { chunks: this.#chunks, bytes: this.#bytes, isExact: this.#isExact }
    this.#chunks = []
    this.#bytes = 0
    this.#isExact = false
    return payload
  }

  #toChunk(): void {
    const chunk = Buffer.from(this.#text)
    this.#text = ''
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }
}

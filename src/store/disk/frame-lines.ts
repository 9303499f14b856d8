import { readJson } from '../../protocol/exact-numbers.ts'
import { EventInText } from './event-in-text.ts'
import { EVENT } from './lines.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { Frame } from './frames.ts'
import type { Image } from './image.ts'
import type { Line } from './lines.ts'

const [, , LETTER, AFTER_LETTER] = Buffer.from(EVENT)
const SEPARATOR = ',\n'
const [COMMA, LINE_FEED] = Buffer.from(SEPARATOR) as unknown as [number, number]
const [QUOTE, BACKSLASH, ZERO] = Buffer.from('"\\0') as unknown as [number, number, number]

/** Reads the lines of a frame. */
export function readLines({ kind, payload }: Frame, image: Image): void {
  if (kind === 'x') image.read(readJson(`[${payload.toString()}]`) as Line[])
  else if (kind === '-') new PlainLines(payload, image).read()
}

/**
 * Lines without exact numbers. Those of events are not parsed as a whole: see `EventInText`. No line has a line feed in
 * it. Works on bytes and makes no intermediate texts, because a data directory may have millions of events.
 */
class PlainLines {
  /** The events need it for as long as they are not read. So it should not keep a larger block alive. */
  readonly #bytes: Buffer
  /** Where the lines begin that were passed, but not read. */
  #unread = 0
  /** The line of the last event up to its channel. Events of a channel often follow each other. */
  #beginning: Buffer = Buffer.alloc(0)
  #channel = '' as ChannelName

  constructor(
    payload: Buffer,
    private readonly image: Image,
  ) {
    const isMost = payload.length * 2 > payload.buffer.byteLength
    this.#bytes = isMost ? payload : Buffer.from(payload)
  }

  read(): void {
    const bytes = this.#bytes
    const { length } = bytes
    for (let start = 0; start < length;) {
      const found = bytes.indexOf(LINE_FEED, start)
      const next = found < 0 ? length + SEPARATOR.length : found + 1
      if (bytes[start + 2] === LETTER && bytes[start + 3] === AFTER_LETTER) {
        this.#readOthers(start)
        this.#readEvent(start, next - SEPARATOR.length)
        this.#unread = next
      }
      start = next
    }
    this.#readOthers(length + SEPARATOR.length)
  }

  /** Reads the lines before this place that are not of events. */
  #readOthers(start: number): void {
    const end = start - SEPARATOR.length
    if (this.#unread >= end) return
    const text = this.#bytes.toString('utf8', this.#unread, end)
    this.image.read(JSON.parse(`[${text}]`) as Line[])
  }

  #readEvent(start: number, end: number): void {
    const bytes = this.#bytes
    if (!this.#beginsAlike(start)) this.#readChannel(start)
    let place = start + this.#beginning.length
    let n = 0
    for (let byte = bytes[place]; byte !== COMMA; byte = bytes[++place])
      n = n * 10 + (byte as number) - ZERO
    const afterTime = bytes.indexOf(COMMA, ++place)
    const at = Number(bytes.toString('latin1', place, afterTime))
    const where = (bytes[afterTime + 1] as number) - ZERO
    const event = new EventInText(n, this.image.epoch, {
      bytes,
      start: afterTime + ',0,'.length,
      end: end - 1,
    })
    this.image.event(this.#channel, event, at, where)
  }

  #beginsAlike(start: number): boolean {
    const beginning = this.#beginning
    const { length } = beginning
    for (let place = length - 1; place >= 0; place--)
      if (this.#bytes[start + place] !== beginning[place]) return false
    return length > 0
  }

  #readChannel(start: number): void {
    const bytes = this.#bytes
    const first = start + EVENT.length
    let end = first + 1
    while (bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1
    end++
    this.#channel = JSON.parse(bytes.toString('utf8', first, end)) as ChannelName
    this.#beginning = bytes.subarray(start, end + 1)
  }
}

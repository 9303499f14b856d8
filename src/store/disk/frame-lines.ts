import { readJson } from '../../protocol/exact-numbers.ts'
import { EventInText } from './event-in-text.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { Frame } from './frames.ts'
import type { Image } from './image.ts'
import type { Line } from './lines.ts'

const EVENT = '["e",'
/** The channel in the line of an event. */
const QUOTED = /"(?:[^"\\]|\\.)*",/y
const SEPARATOR = ',\n'
const COMMA = ','.charCodeAt(0)
const ZERO = '0'.charCodeAt(0)

/** Writes the line of an event whose body and delivery are text. */
export const eventLine = (
  [channel, n, at, where]: readonly [ChannelName, number, number, number],
  text: string,
): string => `${EVENT}${JSON.stringify(channel)},${n},${at},${where},${text}]`

/** Reads the lines of a frame. */
export function readLines({ kind, payload }: Frame, image: Image): void {
  if (kind === 'x') image.read(readJson(`[${payload.toString()}]`) as Line[])
  else if (kind === '-') new PlainLines(payload, image).read()
}

/**
 * Lines without exact numbers. Those of events are not parsed as a whole: see `EventInText`. No text has a line feed in
 * it, so only lines are separated by one.
 */
class PlainLines {
  /** One character for each byte, so that places in the text are places in the payload. */
  readonly #text: string
  /** Where the lines begin that were passed, but not read. */
  #unread = 0
  /** How the last line of an event began, and its channel. Events of a channel often follow each other. */
  #beginning = ' '
  #channel = '' as ChannelName

  constructor(
    private readonly payload: Buffer,
    private readonly image: Image,
  ) {
    this.#text = payload.toString('latin1')
  }

  read(): void {
    const { length } = this.#text
    for (let start = 0; start < length;) {
      const found = this.#text.indexOf('\n', start)
      const next = found < 0 ? length + SEPARATOR.length : found + 1
      const end = next - SEPARATOR.length
      if (this.#text.startsWith(EVENT, start)) {
        this.#readOthers(start)
        this.#readEvent(start, end)
        this.#unread = next
      }
      start = next
    }
    this.#readOthers(length + SEPARATOR.length)
  }

  /** Reads the lines before this place that are not of events. */
  #readOthers(start: number): void {
    const end = start - SEPARATOR.length
    if (this.#unread < end) this.image.read(this.#parsed(this.#unread, end))
  }

  /** Digit by digit and without intermediate texts: a data directory may have millions of events. */
  #readEvent(start: number, end: number): void {
    const text = this.#text
    if (!text.startsWith(this.#beginning, start)) this.#readChannel(start)
    let place = start + this.#beginning.length
    let n = 0
    for (let code = text.charCodeAt(place); code !== COMMA; code = text.charCodeAt(++place))
      n = n * 10 + code - ZERO
    const afterTime = text.indexOf(',', ++place)
    const at = Number(text.slice(place, afterTime))
    const where = text.charCodeAt(afterTime + 1) - ZERO
    const rest = this.payload.toString('utf8', afterTime + ',0,'.length, end - 1)
    this.image.event(this.#channel, new EventInText(n, this.image.epoch, rest), at, where)
  }

  #readChannel(start: number): void {
    QUOTED.lastIndex = start + EVENT.length
    const [quoted = ''] = QUOTED.exec(this.#text) ?? []
    this.#beginning = EVENT + quoted
    this.#channel = JSON.parse(Buffer.from(quoted.slice(0, -1), 'latin1').toString()) as ChannelName
  }

  #parsed(start: number, end: number): Line[] {
    return JSON.parse(`[${this.payload.toString('utf8', start, end)}]`) as Line[]
  }
}

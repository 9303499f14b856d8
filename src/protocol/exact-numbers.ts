/**
 * JSON whose numbers are written as they were read, also those that do not fit a JavaScript number.
 *
 * `JSON.parse` rounds 1234567890123456789 and makes `Infinity` of 1e400, which `JSON.stringify` writes as null. Here such a
 * number is an `ExactNumber`, which keeps its text. Why so: docs/decisions/0026-numbers-as-posted.md.
 */
import { fitsDouble, isNumber } from './double.ts'
import { endOfString, surveyOf } from './json.ts'

/**
 * A number as text.
 *
 * A function, because no check for a type of JSON accepts one: where an object, a list, a text or a number is expected, it
 * is refused without further checks. Do not change it.
 */
export interface ExactNumber {
  (): string
  toJSON(): string
}

/** A text has more exact numbers than its reader allows. */
export class TooManyExactNumbers extends Error {
  override readonly name = 'TooManyExactNumbers'
  constructor(
    /** Where in the text the first one begins that is too many. */
    readonly at: number,
  ) {
    super('There are too many numbers that do not fit a double.')
  }
}

export const isExactNumber = (value: unknown): value is ExactNumber => typeof value === 'function'

/** Whether two values that are no objects and no lists are the same in JSON. */
export const isSameScalar = (one: unknown, other: unknown): boolean =>
  one === other || (isExactNumber(one) && isExactNumber(other) && one() === other())

/** The nearest JavaScript number to an exact number; any other value as it is. For numbers that have a meaning here. */
export const asDouble = (value: unknown): unknown =>
  isExactNumber(value) ? Number(value()) : value

/** As `JSON.parse`, but keeps exact numbers. For texts that `writeJson` has written. */
export const readJson = (text: string): unknown => parserFor(surveyOf(text), Infinity)(text)

/**
 * Exact numbers that one text of strangers may have. Reading and writing one takes as long as fifty ordinary ones, and more
 * than these would keep the event loop for too long.
 */
export const MAX_EXACT_NUMBERS = 10_000

export type Parse = (text: string) => unknown

/**
 * Parses a text of which this is the survey, whole or in parts. As `JSON.parse`, but keeps exact numbers, and throws
 * `TooManyExactNumbers` if there are more than `max` of them in all parts together.
 */
export function parserFor(survey: ReturnType<typeof surveyOf>, max = MAX_EXACT_NUMBERS): Parse {
  if (survey === 'plain') return JSON.parse
  const reader = new ExactReader(max)
  return (text) => reader.read(text)
}

/** As `JSON.stringify`, for what JSON can say, with exact numbers as they were read. */
export const writeJson = (value: unknown): string => write(value, '')

/** For `readQuickly`. It is JSON to everybody else too: behind a space if there are exact numbers. */
export const writeForQuickReading = (value: unknown): string => write(value, ' ')

/** Reads what `writeForQuickReading` has written, without looking for exact numbers where there are none. */
export const readQuickly = (text: string): unknown =>
  text.startsWith(' ') ? readJson(text) : (JSON.parse(text) as unknown)

function write(value: unknown, beforeExact: '' | ' '): string {
  marksWritten = 0
  try {
    const json = JSON.stringify(value)
    return marksWritten === 0 ? json : beforeExact + withoutMarks(json)
  } finally {
    marksWritten = NOT_WRITING
  }
}

const NOT_WRITING = -1
/** Exact numbers in what is being written. */
let marksWritten = NOT_WRITING

/** What a string begins with that stands for an exact number. Nobody outside of this module sees one, or could guess it. */
const MARK = `${crypto.randomUUID()}:`
const QUOTED_MARK = `"${MARK}`

function exactNumber(text: string): ExactNumber {
  const number = (): string => text
  number.toJSON = toJSON
  return number
}

function toJSON(this: ExactNumber): string {
  if (marksWritten === NOT_WRITING) throw new TypeError('An exact number needs writeJson.')
  marksWritten++
  return MARK + this()
}

function withoutMarks(json: string): string {
  let written = ''
  let end = 0
  for (let at = json.indexOf(QUOTED_MARK); at >= 0; at = json.indexOf(QUOTED_MARK, end)) {
    const start = at + QUOTED_MARK.length
    const close = json.indexOf('"', start)
    written += json.slice(end, at) + json.slice(start, close)
    end = close + 1
  }
  return written + json.slice(end)
}

class ExactReader {
  #count = 0

  constructor(private readonly max: number) {}

  read(text: string): unknown {
    const marked = this.#withMarks(text)
    if (marked === undefined) return JSON.parse(text) as unknown
    let value: unknown
    try {
      value = JSON.parse(marked)
    } catch {
      // Throws as well, and says where in the text.
      return JSON.parse(text) as unknown
    }
    return withExactNumbers(value)
  }

  /** The text with a marked string for each exact number; undefined if there is none. */
  #withMarks(text: string): string | undefined {
    let marked = ''
    let end = 0
    STRINGS_AND_NUMBERS.lastIndex = 0
    for (let found; (found = STRINGS_AND_NUMBERS.exec(text));) {
      const [token] = found
      const { index } = found
      if (token === '"') STRINGS_AND_NUMBERS.lastIndex = endOfString(text, index) + 1
      else if (isExact(token, text, STRINGS_AND_NUMBERS.lastIndex)) {
        if (++this.#count > this.max) throw new TooManyExactNumbers(index)
        marked += `${text.slice(end, index)}${QUOTED_MARK}${token}"`
        end = index + token.length
      }
    }
    return end === 0 ? undefined : marked + text.slice(end)
  }
}

/** The beginning of a string, or a number that may be exact: 16 digits or more, an exponent, or -0. */
const STRINGS_AND_NUMBERS = /"|(?<![^[,:\s])(?:-0|-?(?:[\d.]{16}|\d[\d.]*[eE]))[-+.\w]*/g

/** Not before a colon, where a string is right, and a number is not. */
const isExact = (token: string, text: string, end: number): boolean =>
  isNumber(token) && !fitsDouble(token) && !isColonNext(text, end)

function isColonNext(text: string, from: number): boolean {
  COLON.lastIndex = from
  return COLON.test(text)
}
const COLON = /\s*:/y

/** In place. By hand, because `JSON.parse` takes ten times as long when it is to do it. */
function withExactNumbers(value: unknown): unknown {
  if (typeof value === 'string')
    return value.startsWith(MARK) ? exactNumber(value.slice(MARK.length)) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    value.forEach((element: unknown, index) => {
      if (mayHold(element)) value[index] = withExactNumbers(element)
    })
    return value
  }
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) {
    const member = object[key]
    if (mayHold(member)) object[key] = withExactNumbers(member)
  }
  return object
}

const mayHold = (value: unknown): boolean => typeof value === 'string' || typeof value === 'object'

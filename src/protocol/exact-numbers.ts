/**
 * Reads and writes JSON without changing numbers, even if they do not fit a JavaScript number.
 *
 * `JSON.parse` rounds 1234567890123456789 and turns 1e400 into `Infinity`, which `JSON.stringify` writes as null. Here
 * such a number is an `ExactNumber`, which keeps its text. Why: docs/decisions/0026-numbers-as-posted.md.
 */
import { fitsDouble, isNumber } from './double.ts'
import { endOfString, surveyOf } from './json.ts'

/**
 * A number that keeps its text.
 *
 * It is a function, because no check for a JSON type accepts a function: code that expects an object, a list, a text or
 * a number rejects it without further checks. Do not modify it.
 */
export interface ExactNumber {
  (): string
  toJSON(): string
}

/** Thrown if a text has too many exact numbers. */
export class TooManyExactNumbers extends Error {
  override readonly name = 'TooManyExactNumbers'
  constructor(
    /** Where in the text the first number above the limit begins. */
    readonly at: number,
  ) {
    super('Too many numbers that do not fit a double.')
  }
}

export const isExactNumber = (value: unknown): value is ExactNumber => typeof value === 'function'

/** Whether two values are the same in JSON. Not for objects and lists. */
export const isSameScalar = (one: unknown, other: unknown): boolean =>
  one === other || (isExactNumber(one) && isExactNumber(other) && one() === other())

/**
 * Converts an exact number to the nearest JavaScript number. Returns other values as they are. For numbers that the
 * server uses.
 */
export const asDouble = (value: unknown): unknown =>
  isExactNumber(value) ? Number(value()) : value

/** Like `JSON.parse`, but keeps exact numbers. For texts from `writeJson`. */
export const readJson = (text: string): unknown => parserFor(surveyOf(text), Infinity)(text)

/**
 * Maximum number of exact numbers in untrusted text. Reading and writing one takes as long as fifty ordinary numbers,
 * so more of them would block the event loop for too long.
 */
export const MAX_EXACT_NUMBERS = 10_000

export type Parse = (text: string) => unknown

/**
 * Returns a parser for the text that this is the survey of. It can parse the text whole or in parts. It works like
 * `JSON.parse`, but keeps exact numbers, and throws `TooManyExactNumbers` if all parts together have more than `max` of
 * them.
 */
export function parserFor(survey: ReturnType<typeof surveyOf>, max = MAX_EXACT_NUMBERS): Parse {
  if (survey === 'plain') return JSON.parse
  const reader = new ExactReader(max)
  return (text) => reader.read(text)
}

/** Like `JSON.stringify` for JSON values, but writes exact numbers as they were read. */
export const writeJson = (value: unknown): string => write(value, '')

/** Writes JSON for `readQuickly`. A leading space, which is valid JSON, marks a text with exact numbers. */
export const writeForQuickReading = (value: unknown): string => write(value, ' ')

/** Reads a text from `writeForQuickReading`. Searches for exact numbers only if the text is marked to have some. */
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
/** Number of exact numbers in the value that is being written. */
let marksWritten = NOT_WRITING

/**
 * The prefix of a string that stands for an exact number. Code outside this module never sees it and cannot guess it.
 */
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
      // Throws too, with the right position in the text.
      return JSON.parse(text) as unknown
    }
    return withExactNumbers(value)
  }

  /** Replaces each exact number by a marked string. Returns undefined if there is none. */
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

/** The start of a string, or a number that may need to be exact: 16 digits or more, an exponent, or -0. */
const STRINGS_AND_NUMBERS = /"|(?<![^[,:\s])(?:-0|-?(?:[\d.]{16}|\d[\d.]*[eE]))[-+.\w]*/g

/**
 * Whether the token is an exact number. Not before a colon: there a string would be valid JSON, but a number is not.
 */
const isExact = (token: string, text: string, end: number): boolean =>
  isNumber(token) && !fitsDouble(token) && !isColonNext(text, end)

function isColonNext(text: string, from: number): boolean {
  COLON.lastIndex = from
  return COLON.test(text)
}
const COLON = /\s*:/y

/** Replaces marked strings in place. A reviver for `JSON.parse` would take ten times as long. */
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

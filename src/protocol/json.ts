/** Finds what untrusted JSON must not contain, and numbers that `JSON.parse` would change. */
import { fitsDouble } from './double.ts'

/**
 * Maximum nesting of brackets. Real data is never nested deeper, and reading or writing it could overflow the stack.
 */
export const MAX_JSON_DEPTH = 100

/**
 * Maximum number of lists and objects in one text: as many empty ones as fit in a mebibyte. Twice as many nested lists
 * fit, and each pass over them would block the event loop for too long. Real data never has that many.
 */
export const MAX_CONTAINERS = 350_000

/** The key that changes the prototype of an object if any code copies it carelessly. */
export const PROTOTYPE_KEY = '__proto__'

const [QUOTE, BACKSLASH, COMMA, MINUS, DOT, COLON] = [0x22, 0x5c, 0x2c, 0x2d, 0x2e, 0x3a]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
const [ZERO, NINE, LOWER_E] = [0x30, 0x39, 0x65]

/** Every number with fewer digits and no exponent fits a double, except -0. */
const LONG_NUMBER = 16
/** Maximum number of numbers that are checked more closely. Each takes as long as a hundred other characters. */
const MAX_CLOSE_LOOKS = 1_000

/**
 * Checks a text before it is parsed. `too-deep`: nested deeper than `MAX_JSON_DEPTH`. `numbers`: it has numbers that do
 * not fit a double, or too many long numbers to check them all. `too-many`: it has more than `MAX_CONTAINERS` lists and
 * objects. If the text is not JSON, the result has no meaning.
 *
 * Works in one pass, because every body goes through it.
 */
export function surveyOf(text: string): 'plain' | 'numbers' | 'too-deep' | 'too-many' {
  let [depth, containers, looks, isPlain] = [0, 0, 0, true]
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit >= OPEN_LIST) {
      if (unit === OPEN_LIST || unit === OPEN_OBJECT) {
        containers++
        if (++depth > MAX_JSON_DEPTH) return 'too-deep'
      } else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth--
    } else if (unit >= MINUS && unit <= NINE) {
      const digits = endOfDigits(text, at)
      const hasExponent = (text.charCodeAt(digits) | 0x20) === LOWER_E
      // After the `e` comes a sign or a digit.
      const end = hasExponent ? endOfDigits(text, digits + 1) : digits
      const isUnusual = hasExponent || end - at >= LONG_NUMBER || isMinusZero(text, at)
      if (isUnusual && isPlain)
        isPlain = ++looks < MAX_CLOSE_LOOKS && fitsDouble(text.slice(at, end))
      at = end - 1
    }
  }
  if (containers > MAX_CONTAINERS) return 'too-many'
  return isPlain ? 'plain' : 'numbers'
}

function endOfDigits(text: string, start: number): number {
  let at = start
  for (;;) {
    const unit = text.charCodeAt(++at)
    const isDigit = unit >= ZERO && unit <= NINE
    if (!isDigit && unit !== DOT) return at
  }
}

/** Whether the text here is -0, or a number that starts with it. */
const isMinusZero = (text: string, at: number): boolean =>
  text.charCodeAt(at) === MINUS && text.charCodeAt(at + 1) === ZERO

/** Returns the position of the closing quote of the JSON string that begins at `start`, or the end of the text. */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1))
    if (!isEscaped(text, at)) return at
  return text.length
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

/**
 * Returns the path to the first prototype key in this JSON, or undefined. If the text is not JSON, the result has no
 * meaning.
 *
 * Searches the text and not the value: looking into each of a few hundred thousand small objects takes longer than
 * parsing them, and a caller can send text that makes this search necessary.
 */
export function prototypeKeyIn(text: string): readonly string[] | undefined {
  if (!text.includes(PROTOTYPE_KEY) && !text.includes('\\u')) return undefined
  const found = SPELLED_PROTOTYPE_KEY.exec(text)
  return found ? [...pathTo(text, found.index).slice(0, -1), PROTOTYPE_KEY] : undefined
}

/** The key, with or without escapes. A quote after a backslash is inside a string, and a key is followed by a colon. */
const SPELLED_PROTOTYPE_KEY =
  /(?<!\\)"(?:_|\\u005[fF]){2}(?:p|\\u0070)(?:r|\\u0072)(?:o|\\u006[fF])(?:t|\\u0074)(?:o|\\u006[fF])(?:_|\\u005[fF]){2}"[ \t\r\n]*:/

/**
 * Returns the keys and indexes that lead to the value that begins at `end`. If a key begins there, ignore the last
 * step.
 */
export function pathTo(text: string, end: number): string[] {
  const steps: (string | number)[] = []
  let string = ''
  for (let at = 0; at < end; at++) {
    const unit = text.charCodeAt(at)
    const step = steps.at(-1)
    if (unit === QUOTE) {
      const close = endOfString(text, at)
      string = text.slice(at, close + 1)
      at = close
    } else if (unit === COLON) steps[steps.length - 1] = string
    else if (unit === COMMA && typeof step === 'number') steps[steps.length - 1] = step + 1
    else if (unit === OPEN_LIST) steps.push(0)
    else if (unit === OPEN_OBJECT) steps.push('')
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) steps.pop()
  }
  return steps.map((step) =>
    typeof step === 'number' ? String(step) : step === '' ? '' : (JSON.parse(step) as string),
  )
}

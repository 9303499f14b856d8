/** What JSON of strangers must not hold, wherever it comes in. */

/** Brackets within brackets. Past it nobody means it, and reading or writing it could exhaust the stack. */
export const MAX_JSON_DEPTH = 100

/** The key that, copied carelessly anywhere on its way, would change what every object is. */
export const PROTOTYPE_KEY = '__proto__'

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Whether the JSON is nested deeper than `MAX_JSON_DEPTH`. Does not matter for what is no JSON. */
export function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === OPEN_LIST || unit === OPEN_OBJECT) depth++
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth--
    if (depth > MAX_JSON_DEPTH) return true
  }
  return false
}

/** Where the string of JSON that begins at `start` has its closing quote; the end of the text if it has none. */
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

/** The path to a prototype key in what this JSON spells, if there is one. */
export function prototypeKeyIn(text: string, value: unknown): readonly string[] | undefined {
  return text.includes(PROTOTYPE_KEY) || text.includes('\\u') ? pathIn(value, []) : undefined
}

function pathIn(value: unknown, path: readonly string[]): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key]
    const found = key === PROTOTYPE_KEY ? here : pathIn(inner, here)
    if (found) return found
  }
  return undefined
}

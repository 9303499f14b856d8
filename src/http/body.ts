/** From bytes to JSON, for whoever sends it under whichever content type (recorded: http-content-type-ignored). */
import { isUtf8 } from 'node:buffer'
import { RequestError, invalid } from '../protocol/errors.ts'
import { complaint } from '../protocol/complaints.ts'

/** Brackets within brackets. Past it nobody means it, and reading or writing it could exhaust the stack. */
export const MAX_JSON_DEPTH = 100

/**
 * The JSON that `body` spells in UTF-8; undefined for an empty body.
 *
 * Throws `NOT_JSON` (400), also for what is nested deeper than `MAX_JSON_DEPTH`, and `INVALID` (422) for an object with
 * a key `__proto__`: copied carelessly anywhere on its way, it would change what every object is.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (!isUtf8(body)) throw notJson('It is not UTF-8.')
  if (isTooDeep(body)) throw notJson(`It is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  const text = body.toString()
  const value = parse(text)
  if (text.includes('__proto__') || text.includes('\\u')) refusePrototypeKeys(value, [])
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notJson(error instanceof Error ? error.message : '')
  }
}

const notJson = (detail: string): RequestError =>
  new RequestError('NOT_JSON', complaint(['body'], `Not valid JSON. ${detail}`.trim()))

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

function isTooDeep(body: Buffer): boolean {
  if (body.length <= 2 * MAX_JSON_DEPTH) return false
  let depth = 0
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]
    if (byte === QUOTE) at = endOfString(body, at)
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
    if (depth > MAX_JSON_DEPTH) return true
  }
  return false
}

function endOfString(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    if (body[at] === BACKSLASH) at++
    else if (body[at] === QUOTE) return at
  }
  return body.length
}

function refusePrototypeKeys(value: unknown, path: readonly string[]): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') throw invalid(complaint([...path, key], 'Key is not allowed.'))
    refusePrototypeKeys(inner, [...path, key])
  }
}

/** From bytes to JSON, for whoever sends it under whichever content type (recorded: http-content-type-ignored). */
import { isUtf8 } from 'node:buffer'
import { RequestError, invalid } from '../protocol/errors.ts'
import { MAX_JSON_DEPTH, isTooDeep, prototypeKeyIn } from '../protocol/json.ts'
import { complaint } from '../protocol/complaints.ts'
import { parseInPieces } from '../protocol/json-pieces.ts'

/** Longer bodies are better read with `parseLongJson`. */
export const LONG_BYTES = 65_536

/**
 * The JSON that `body` spells in UTF-8; undefined for an empty body.
 *
 * Throws `NOT_JSON` (400), also for what is nested deeper than `MAX_JSON_DEPTH`, and `INVALID` (422) for an object with
 * a key `__proto__`: copied carelessly anywhere on its way, it would change what every object is.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  const text = textOf(body)
  return accepted(
    text,
    readOrRefuse(() => JSON.parse(text) as unknown),
  )
}

/** The same in steps, each of which takes a few milliseconds. */
export function* parseLongJson(body: Buffer): Generator<undefined, unknown> {
  const text = textOf(body)
  const reading = parseInPieces(text)
  for (;;) {
    yield
    const { done, value } = readOrRefuse(() => reading.next())
    if (done) return accepted(text, value)
  }
}

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw notJson('It is not UTF-8.')
  const text = body.toString()
  if (isTooDeep(text)) throw notJson(`It is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  return text
}

function accepted(text: string, value: unknown): unknown {
  const forbidden = prototypeKeyIn(text)
  if (forbidden) throw invalid(complaint(forbidden, 'Key is not allowed.'))
  return value
}

function readOrRefuse<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    throw notJson(error instanceof Error ? error.message : '')
  }
}

const notJson = (detail: string): RequestError =>
  new RequestError('NOT_JSON', complaint(['body'], `Not valid JSON. ${detail}`.trim()))

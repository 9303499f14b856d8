/** From bytes to JSON, for whoever sends it under whichever content type (recorded: http-content-type-ignored). */
import { isUtf8 } from 'node:buffer'
import { complaint, told } from '../protocol/complaints.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { MAX_EXACT_NUMBERS, TooManyExactNumbers, parserFor } from '../protocol/exact-numbers.ts'
import { parseInPieces } from '../protocol/json-pieces.ts'
import {
  MAX_CONTAINERS,
  MAX_JSON_DEPTH,
  pathTo,
  prototypeKeyIn,
  surveyOf,
} from '../protocol/json.ts'
import type { Parse } from '../protocol/exact-numbers.ts'

/** Longer bodies are better read with `parseLongJson`. */
export const LONG_BYTES = 65_536

/**
 * The JSON that `body` spells in UTF-8; undefined for an empty body.
 *
 * Numbers that do not fit a double are `ExactNumber`s. Throws `NOT_JSON` (400), also for what is nested deeper than
 * `MAX_JSON_DEPTH` or has more than `MAX_CONTAINERS` lists and objects, and `INVALID` (422) for more than `MAX_EXACT_NUMBERS` of these
 * numbers, and for an object with a key `__proto__`: copied carelessly anywhere on its way, it would change what every
 * object is.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  const { text, parse } = prepared(body)
  return accepted(
    text,
    readOrRefuse(text, () => parse(text)),
  )
}

/** The same in steps, each of which takes a few milliseconds. */
export function* parseLongJson(body: Buffer): Generator<undefined, unknown> {
  const { text, parse } = prepared(body)
  const reading = parseInPieces(text, parse)
  for (;;) {
    yield
    const { done, value } = readOrRefuse(text, () => reading.next())
    if (done) return accepted(text, value)
  }
}

function prepared(body: Buffer): { readonly text: string; readonly parse: Parse } {
  if (!isUtf8(body)) throw notJson('It is not UTF-8.')
  const text = body.toString()
  const survey = surveyOf(text)
  if (survey === 'too-deep') throw notJson(`It is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  if (survey === 'too-many') throw notJson(`It has more than ${MAX_CONTAINERS} lists and objects.`)
  return { text, parse: parserFor(survey) }
}

function accepted(text: string, value: unknown): unknown {
  const forbidden = prototypeKeyIn(text)
  if (forbidden) throw invalid(complaint(forbidden, 'Key is not allowed.'))
  return value
}

function readOrRefuse<Value>(text: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof TooManyExactNumbers)
      throw invalid(told([[pathTo(text, error.at), TOO_MANY_NUMBERS]]))
    throw notJson(error instanceof Error ? error.message : '')
  }
}

const TOO_MANY_NUMBERS = `More than ${MAX_EXACT_NUMBERS} numbers do not fit a double.`

const notJson = (detail: string): RequestError =>
  new RequestError('NOT_JSON', complaint(['body'], `Not valid JSON. ${detail}`.trim()))

/** Parses bytes as JSON, whatever the content type says (recorded: http-content-type-ignored). */
import { isUtf8 } from 'node:buffer'
import { complaint, listComplaints } from '../protocol/complaints.ts'
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

/** For longer bodies use `parseLongJson`, which works in steps. */
export const LONG_BYTES = 65_536

/**
 * Parses a UTF-8 body as JSON. Ignores a byte order mark at its beginning. Returns undefined for an empty body.
 *
 * Numbers that do not fit a double become `ExactNumber`s. Throws `NOT_JSON` (400) for invalid JSON, for nesting deeper
 * than `MAX_JSON_DEPTH` and for more than `MAX_CONTAINERS` lists and objects. Throws `INVALID` (422) for more than
 * `MAX_EXACT_NUMBERS` of these numbers, and for an object with the key `__proto__`: if any code copied it carelessly,
 * it would change the prototype of all objects.
 */
export function parseJson(bytes: Buffer): unknown {
  const body = withoutMark(bytes)
  if (body.length === 0) return undefined
  const { text, parse } = decode(body)
  return checked(
    text,
    parseOrThrow(text, () => parse(text)),
  )
}

/** Does the same in steps of a few milliseconds each. */
export function* parseLongJson(body: Buffer): Generator<undefined, unknown> {
  const { text, parse } = decode(withoutMark(body))
  const reading = parseInPieces(text, parse)
  for (;;) {
    yield
    const { done, value } = parseOrThrow(text, () => reading.next())
    if (done) return checked(text, value)
  }
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Some programs for Windows write it. It is no JSON, but RFC 8259 allows to ignore it. */
const withoutMark = (body: Buffer): Buffer =>
  body[0] === BYTE_ORDER_MARK[0] && body.subarray(0, 3).equals(BYTE_ORDER_MARK)
    ? body.subarray(3)
    : body

function decode(body: Buffer): { readonly text: string; readonly parse: Parse } {
  if (!isUtf8(body)) throw notJson('It is not UTF-8.')
  const text = body.toString()
  const survey = surveyOf(text)
  if (survey === 'too-deep') throw notJson(`It is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  if (survey === 'too-many') throw notJson(`It has more than ${MAX_CONTAINERS} lists and objects.`)
  return { text, parse: parserFor(survey) }
}

function checked(text: string, value: unknown): unknown {
  const forbidden = prototypeKeyIn(text)
  if (forbidden) throw invalid(complaint(forbidden, 'Key is not allowed.'))
  return value
}

function parseOrThrow<Value>(text: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof TooManyExactNumbers)
      throw invalid(listComplaints([[pathTo(text, error.at), TOO_MANY_NUMBERS]]))
    throw notJson(error instanceof Error ? error.message : '')
  }
}

const TOO_MANY_NUMBERS = `More than ${MAX_EXACT_NUMBERS} numbers do not fit a double.`

const notJson = (detail: string): RequestError =>
  new RequestError('NOT_JSON', complaint(['body'], `Not valid JSON. ${detail}`.trim()))

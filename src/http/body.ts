/** From bytes to JSON, for whoever sends it under whichever content type (recorded: http-content-type-ignored). */
import { isUtf8 } from 'node:buffer'
import { RequestError, invalid } from '../protocol/errors.ts'
import { MAX_JSON_DEPTH, isTooDeep, prototypeKeyIn } from '../protocol/json.ts'
import { complaint } from '../protocol/complaints.ts'

/**
 * The JSON that `body` spells in UTF-8; undefined for an empty body.
 *
 * Throws `NOT_JSON` (400), also for what is nested deeper than `MAX_JSON_DEPTH`, and `INVALID` (422) for an object with
 * a key `__proto__`: copied carelessly anywhere on its way, it would change what every object is.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (!isUtf8(body)) throw notJson('It is not UTF-8.')
  const text = body.toString()
  if (isTooDeep(text)) throw notJson(`It is nested deeper than ${MAX_JSON_DEPTH} levels.`)
  const value = parse(text)
  const forbidden = prototypeKeyIn(text, value)
  if (forbidden) throw invalid(complaint(forbidden, 'Key is not allowed.'))
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

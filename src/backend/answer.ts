/** Reads the HTTP answer of a call, or the reason why it failed. */
import { ERRORS } from '../protocol/errors.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { isJsonObject } from '../protocol/json-object.ts'
import { HttpFailure } from './http-client.ts'
import type { Complaints } from '../protocol/complaints.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { ClientErrorCode } from './error.ts'
import type { Reply } from './http-client.ts'
import type { Shape } from './shape.ts'

/**
 * Reads an answer and checks its shape. Throws an {@link HttpFailure} if it is not an answer of a Channelstream server,
 * such as a proxy's page with status 200. Without this check, a missing field would cause an error later.
 */
export function readAnswer<Answer>(shape: Shape<Answer>, { status, headers, text }: Reply): Answer {
  if (status !== 200) throw badAnswer(`its status is ${status}; check the url`)
  const value = parse(text)
  if (value === undefined) throw badAnswer(`it is not JSON, but ${mediaType(headers)}`)
  const fault = shape.check(value)
  if (fault) throw badAnswer(`${fault.path.join('.') || 'the body'}: ${fault.text}`)
  return value as Answer
}

const badAnswer = (detail: string): HttpFailure => new HttpFailure('BAD_ANSWER', detail)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const mediaType = (headers: Reply['headers']): string =>
  /^[\w.+-]{1,50}\/[\w.+-]{1,50}/.exec(headers['content-type'] ?? '')?.[0] ?? 'of no known type'

export interface ErrorAnswer {
  readonly code: ErrorCode | ClientErrorCode
  readonly complaints: Complaints | undefined
  /** For people. */
  readonly text: string
}

/**
 * Reads an answer with a status of 400 or more. Answers of proxies and of the Python server have no code: `HTTP_ERROR`.
 */
export function readErrorAnswer({ headers, text }: Reply): ErrorAnswer {
  const name = headers[ERROR_HEADER]
  const code = typeof name === 'string' && isErrorCode(name) ? name : 'HTTP_ERROR'
  const body = code === 'HTTP_ERROR' ? undefined : parse(text)
  const complaints = isComplaints(body) ? body : undefined
  const details = complaints ? showComplaints(complaints) : ''
  if (code === 'HTTP_ERROR') return { code, complaints, text: `with ${mediaType(headers)}` }
  return { code, complaints, text: `${code}: ${ERRORS[code].text} ${details}`.trim() }
}

const isErrorCode = (name: string): name is ErrorCode => Object.hasOwn(ERRORS, name)

const MAX_COMPLAINT_LEVELS = 20

function isComplaints(value: unknown, level = 0): value is Complaints {
  if (!isJsonObject(value) || level > MAX_COMPLAINT_LEVELS) return false
  return Object.values(value).every((inner) =>
    Array.isArray(inner)
      ? inner.every((text) => typeof text === 'string')
      : isComplaints(inner, level + 1),
  )
}

const MAX_SHOWN_CHARACTERS = 500

/** Shortens long complaints. The field `complaints` of the error has all of them. */
function showComplaints(complaints: Complaints): string {
  const text = JSON.stringify(complaints)
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text
}

/** From what came over the line to what a call answers, or to why it does not. */
import { ERRORS } from '../protocol/errors.ts'
import { isJsonObject } from '../protocol/fields.ts'
import { ERROR_HEADER } from '../protocol/headers.ts'
import { HttpFailure } from './http-client.ts'
import type { z } from 'zod'
import type { Complaints } from '../protocol/complaints.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { ClientErrorCode } from './error.ts'
import type { Reply } from './http-client.ts'

/**
 * The answer, checked by its schema: a proxy that answers 200 with a page of its own, or a server that is none of
 * these, is found here and not where a field is missing later. Throws an {@link HttpFailure} then.
 */
export function readAnswer<Schema extends z.ZodType>(
  schema: Schema,
  { status, headers, text }: Reply,
): z.output<Schema> {
  if (status !== 200) throw badAnswer(`it was answered with ${status}: is the url right?`)
  const value = parse(text)
  if (value === undefined) throw badAnswer(`it is not JSON, but ${mediaType(headers)}`)
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [fault] = result.error.issues
  // A newer server may tell more than this library knows. What it knows is all there.
  if (result.error.issues.every(({ code }) => code === 'unrecognized_keys'))
    return value as z.output<Schema>
  throw badAnswer(`${fault?.path.join('.') || 'the whole'}: ${fault?.message}`)
}

const badAnswer = (detail: string): HttpFailure =>
  new HttpFailure('BAD_ANSWER', `the answer is not one of a Channelstream server: ${detail}`)

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const mediaType = (headers: Reply['headers']): string =>
  /^[\w.+-]{1,50}\/[\w.+-]{1,50}/.exec(headers['content-type'] ?? '')?.[0] ?? 'of no known type'

export interface Refusal {
  readonly code: ErrorCode | ClientErrorCode
  readonly complaints: Complaints | undefined
  /** For people. */
  readonly text: string
}

/** What an answer of 400 or more says. Proxies, and the Python server, name no error: `HTTP_ERROR`. */
export function readRefusal({ headers, text }: Reply): Refusal {
  const name = headers[ERROR_HEADER]
  const code = typeof name === 'string' && isErrorCode(name) ? name : 'HTTP_ERROR'
  const body = code === 'HTTP_ERROR' ? undefined : parse(text)
  const complaints = isComplaints(body) ? body : undefined
  const told = complaints ? showComplaints(complaints) : ''
  if (code === 'HTTP_ERROR') return { code, complaints, text: `with ${mediaType(headers)}` }
  return { code, complaints, text: `${code}: ${ERRORS[code].text} ${told}`.trim() }
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

/** Cut where it gets long: the whole is in `complaints`. */
function showComplaints(complaints: Complaints): string {
  const text = JSON.stringify(complaints)
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text
}

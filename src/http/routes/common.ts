/** What the routes of the backend API have in common. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RequestError } from '../../protocol/errors.ts'
import { isJsonObject } from '../../protocol/fields.ts'
import * as Responses from '../../protocol/responses.ts'
import { LONG_BYTES } from '../body.ts'
import type { FastifyRequest, FastifySerializerCompiler, preValidationHookHandler } from 'fastify'
import type { Hub } from '../../core/hub.ts'
import type { Complaints } from '../../protocol/complaints.ts'

export interface ApiOptions {
  readonly hub: Hub
  /** Writes answers that may have long parts. */
  readonly streamPagedAnswers: FastifySerializerCompiler<unknown>
}

/** What the route's serializer writes in the shape of its schema, though long parts are not of that type. */
export const written = (answer: Promise<object>): Promise<never> => answer as Promise<never>

export const ERROR_RESPONSES = {
  400: Responses.invalidAnswer('The body is not JSON in UTF-8.', {
    body: ['Not valid JSON. It is not UTF-8.'],
  }),
  401: Responses.errorAnswer('BAD_SIGNATURE', 'The signature is not good, or too old.'),
  403: Responses.errorAnswer(
    'FORBIDDEN',
    'There is no signature, or it came from an address that may not post.',
  ),
  413: Responses.errorAnswer('TOO_LARGE', 'The body is larger than max_body_bytes.'),
  422: Responses.invalidAnswer('Some fields are not right. Nothing was done.'),
}

export const backend = { access: 'backend', isKeyed: true } as const
/** How a route is presented in the API explorer. */
export const about = (summary: string, description: string) => ({
  tags: ['API'],
  summary,
  description,
  security: [{ signature: [] }],
})

/** Has the body refused by a bound of the hub before its schema looks into it. */
export const within =
  (bound: (body: unknown) => void): preValidationHookHandler =>
  (request, _reply, done) => {
    bound(request.body)
    done()
  }

/** Answers in a turn of its own where the body was long: the answer is as long, and takes as long to write. */
export const unhurried = <Answer>(
  { bytes }: FastifyRequest,
  answer: Promise<Answer>,
): Promise<Answer> =>
  bytes !== null && bytes.length > LONG_BYTES ? answer.then((ready) => nextTurn(ready)) : answer

/** The last value that the query has for `name`. */
export function lastOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name]
  return Array.isArray(value) ? value.at(-1) : value
}

/** Throws what validation found, after `more` has added what only the hub knows: all faults are told at once. */
export async function refuseFaults(
  request: FastifyRequest,
  more: (body: Readonly<Record<string, unknown>>, faults: Complaints) => Promise<void>,
): Promise<void> {
  const fault: Error | undefined = request.validationError
  if (!fault) return
  if (fault instanceof RequestError && isJsonObject(request.body)) {
    await more(request.body, fault.complaints as Complaints)
  }
  throw fault
}

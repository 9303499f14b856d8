/** Shared by the routes of the backend API. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RequestError } from '../../protocol/errors.ts'
import { isJsonObject } from '../../protocol/json-object.ts'
import { LONG_BYTES } from '../body.ts'
import type { FastifyRequest, FastifySerializerCompiler, preValidationHookHandler } from 'fastify'
import type { Hub } from '../../core/hub.ts'
import type { Complaints } from '../../protocol/complaints.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { UnknownFields } from '../../protocol/unknown-fields.ts'

export interface ApiOptions {
  readonly hub: Hub
  readonly unknownFields: UnknownFields
  /** Whether `/channel_config` checks the names of channels, as the other routes do. */
  readonly checksConfiguredNames: boolean
  /** Streams answers that contain paged lists. */
  readonly streamPagedAnswers: FastifySerializerCompiler<unknown>
}

/**
 * Casts an answer to the type of the route's schema. Paged lists do not have that type, but the serializer writes them
 * in that form.
 */
export const asSchemaType = (answer: Promise<object>): Promise<never> => answer as Promise<never>

/** The refusal of what would exceed a limit on users. The example names the field. */
export const userLimit = (code: ErrorCode, description: string, example: object) =>
  ({
    code,
    description: `${description} Nothing was changed.`,
    form: 'Invalid',
    example,
  }) as const

export const backend = { access: 'backend', isKeyed: true } as const
/** Describes a route. The id names its method in generated clients. */
export const about = (operationId: string, summary: string, description: string) => ({
  operationId,
  tags: ['API'],
  summary,
  description,
  security: [{ signature: [] }],
})

/** Checks the body against a limit of the hub before its schema validates it. */
export const checkLimit =
  (bound: (body: unknown) => void): preValidationHookHandler =>
  (request, _reply, done) => {
    bound(request.body)
    done()
  }

/**
 * Resolves with the answer, in a later turn of the event loop if the body was long: then the answer is long too, and
 * takes as long to serialize.
 */
export const inLaterTurnIfLong = <Answer>(
  { bytes }: FastifyRequest,
  answer: Promise<Answer>,
): Promise<Answer> =>
  bytes !== null && bytes.length > LONG_BYTES ? answer.then((ready) => nextTurn(ready)) : answer

/** Whether a body is about all connections of a user. A `conn_id` takes precedence. */
export const isByUser = (body: Readonly<Record<string, unknown>>): boolean =>
  Object.hasOwn(body, 'username') && !Object.hasOwn(body, 'conn_id')

/** Returns the last value of `name` in the query. */
export function lastOf(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[name]
  return Array.isArray(value) ? value.at(-1) : value
}

/**
 * Throws the validation errors. `more` first adds those that only the hub can find, so that all errors are reported
 * together.
 */
export async function throwInvalid(
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

/**
 * What a route can refuse requests with. Most of it follows from the kind of the route: if it needs a signature, if it
 * reads a body, if it can be repeated. A route itself describes only what is its own (`errorAnswer`, `invalidAnswer`).
 */
import { invalidBody, refusalsOf } from '../../protocol/error-answers.ts'
import { ERRORS } from '../../protocol/errors.ts'
import { ERROR_HEADER } from '../../protocol/headers.ts'
import type { FastifyContextConfig } from 'fastify'
import type { z } from 'zod'
import type { Refusal } from '../../protocol/error-answers.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { MediaType, Response } from './types.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The description of the API says that the body may be missing. */
    hasOptionalBody?: boolean
    /** The route answers errors that pass as a stream, with status 200. */
    answersErrorsAsStream?: boolean
    /** Browsers get a page if the store is unavailable. */
    answersPages?: boolean
  }
}

/** What the refusals of a route follow from. */
export interface RouteFacts {
  readonly method: string
  readonly config: FastifyContextConfig
  readonly hasBodySchema: boolean
  /** The schemas of its own answers, by status. */
  readonly responses: Readonly<Record<string, z.ZodType>>
}

interface AnsweredRefusal extends Refusal {
  readonly status: number
}

const refusal = (
  code: ErrorCode,
  description: string = ERRORS[code].text,
  { status = ERRORS[code].status, ...other }: Partial<Omit<AnsweredRefusal, 'code'>> = {},
): AnsweredRefusal => ({
  code,
  description,
  form: 'Error',
  example: { request: ERRORS[code].text },
  status,
  ...other,
})

/** Also those that come before a request reaches a route: from the socket, and from the first hooks. */
const OF_ALL: readonly AnsweredRefusal[] = [
  refusal('UNREADABLE', 'The request is not HTTP, or its address cannot be read.'),
  refusal('BAD_SIGNATURE', 'There is a signature, and it is invalid or too old.'),
  refusal('HTTPS_REQUIRED', 'The server has enforce_https, and the request came by http.'),
  refusal('UNREADABLE', 'The request did not arrive in time.', { status: 408 }),
  refusal('TOO_MANY_SOCKETS'),
  refusal('UNREADABLE', 'The headers are too large.', { status: 431 }),
  refusal('INTERNAL', 'A fault of the server. Its log has the details.'),
  refusal('STORE_AWAY'),
  refusal('SERVER_FULL'),
  refusal('STOPPING'),
]
const OF_BACKENDS: readonly AnsweredRefusal[] = [
  refusal('FORBIDDEN', 'The signature is missing.'),
  refusal(
    'ADDRESS_NOT_ALLOWED',
    'There is a signature, and the address is not in allow_posting_from.',
  ),
]
const OF_BODIES: readonly AnsweredRefusal[] = [
  refusal('NOT_JSON', undefined, {
    form: 'Invalid',
    example: { body: ['Not valid JSON. It is not UTF-8.'] },
  }),
  refusal('ENCODED_BODY', 'There is a Content-Encoding other than identity.'),
  refusal('BUSY', 'The bodies of other requests use the memory that the server has for them.'),
]
const OF_BODIES_AND_UNREAD_ONES: readonly AnsweredRefusal[] = [
  refusal(
    'TOO_LARGE',
    'The body is larger than max_body_bytes, or than 1 KiB without a signature.',
  ),
]
const OF_SCHEMAS: readonly AnsweredRefusal[] = [
  refusal('INVALID', 'Some fields are invalid. Nothing was changed.', invalidBody),
]
const OF_KEYED: readonly AnsweredRefusal[] = [
  refusal('BAD_IDEMPOTENCY_KEY'),
  refusal('IDEMPOTENCY_KEY_REUSED'),
]

/** Event streams: a reconnecting `EventSource` would give up for good at other statuses than 200. */
const AS_STREAM: ReadonlySet<ErrorCode> = new Set(['STORE_AWAY', 'STOPPING'])

function refusalsOfKind({ method, config, hasBodySchema }: RouteFacts): AnsweredRefusal[] {
  const mayHaveBody = method !== 'get'
  const readsBody = mayHaveBody && config.body !== 'unread'
  const ofAll = OF_ALL.filter(
    ({ code }) =>
      !(config.answersErrorsAsStream && AS_STREAM.has(code)) &&
      !(config.takesHttp && code === 'HTTPS_REQUIRED'),
  )
  return [
    ...ofAll,
    ...(config.access === 'backend' ? OF_BACKENDS : []),
    ...(readsBody ? OF_BODIES : []),
    ...(mayHaveBody ? OF_BODIES_AND_UNREAD_ONES : []),
    ...(hasBodySchema ? OF_SCHEMAS : []),
    ...(config.isKeyed === true && mayHaveBody ? OF_KEYED : []),
  ]
}

const ownRefusals = ({ responses }: RouteFacts): AnsweredRefusal[] =>
  Object.entries(responses).flatMap(([status, schema]) =>
    refusalsOf(schema).map((own) => ({ ...own, status: Number(status) })),
  )

/** Returns the responses of all refusals, by status. A route's own description of a code takes precedence. */
export function refusalResponses(facts: RouteFacts): Record<string, Response> {
  const own = ownRefusals(facts)
  const isDescribed = ({ code, status }: AnsweredRefusal): boolean =>
    own.some((each) => each.code === code && each.status === status)
  const all = [...own, ...refusalsOfKind(facts).filter((each) => !isDescribed(each))]
  const statuses = [...new Set(all.map(({ status }) => status))].toSorted((a, b) => a - b)
  return Object.fromEntries(
    statuses.map((status) => {
      const response = responseOf(all.filter((each) => each.status === status))
      const hasPage = facts.config.answersPages === true && status === ERRORS.STORE_AWAY.status
      return [
        status,
        hasPage ? { ...response, content: { ...response.content, ...PAGE } } : response,
      ]
    }),
  )
}

function responseOf(refusals: readonly AnsweredRefusal[]): Response {
  const [first] = refusals as readonly [AnsweredRefusal]
  const codes = [...new Set(refusals.map(({ code }) => code))]
  const isTemporary = first.status === 429 || first.status === 503
  return {
    description:
      refusals.length === 1
        ? first.description
        : refusals.map(({ code, description }) => `- \`${code}\`: ${description}`).join('\n'),
    headers: {
      [ERROR_HEADER]: {
        description: 'The code of the error. It never changes.',
        required: true,
        schema: { type: 'string', enum: codes },
      },
      ...(isTemporary && { 'retry-after': RETRY_AFTER }),
    },
    content: { 'application/json': contentOf(refusals) },
  }
}

const PAGE = {
  'text/html': { schema: { type: 'string' }, example: '<!doctype html>…' },
}
const RETRY_AFTER = {
  description: 'Seconds after which the same request may succeed.',
  required: true,
  schema: { type: 'integer', minimum: 0 },
}

const formSchema = (form: Refusal['form']) => ({ $ref: `#/components/schemas/${form}` })
export const FORM_SCHEMAS = {
  Error: formSchema('Error'),
  Invalid: formSchema('Invalid'),
  ErrorList: formSchema('ErrorList'),
} satisfies Record<Refusal['form'], object>

function contentOf(refusals: readonly AnsweredRefusal[]): MediaType {
  const forms = [...new Set(refusals.map(({ form }) => form))]
  const schemas = forms.map((form) => FORM_SCHEMAS[form])
  const [only = FORM_SCHEMAS.Error] = schemas
  const schema = schemas.length === 1 ? only : { anyOf: schemas }
  const [first] = refusals as readonly [AnsweredRefusal]
  if (refusals.length === 1) return { schema, example: first.example }
  const examples = refusals.map(({ code, example }, index) => {
    const earlier = refusals.slice(0, index).filter((each) => each.code === code).length
    return [earlier === 0 ? code : `${code}_${earlier + 1}`, { value: example }] as const
  })
  return { schema, examples: Object.fromEntries(examples) }
}

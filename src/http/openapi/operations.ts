/** What the description of a route has that its schemas do not say: examples, headers, and all refusals. */
import { z } from 'zod'
import { refusalsOf } from '../../protocol/error-answers.ts'
import {
  IDEMPOTENCY_HEADER,
  IDEMPOTENCY_KEY_FORM,
  REPLAYED_HEADER,
} from '../../protocol/headers.ts'
import { refusalResponses } from './refusals.ts'
import { opened } from './schemas.ts'
import type { FastifySchema, RouteOptions } from 'fastify'
import type { RouteFacts } from './refusals.ts'
import type { Body, Header, Operation, Response } from './types.ts'

/** The header is read before any schema applies, so no schema contains it. */
export const IDEMPOTENCY_KEY_HEADERS = {
  type: 'object',
  properties: {
    [IDEMPOTENCY_HEADER]: {
      type: 'string',
      pattern: IDEMPOTENCY_KEY_FORM.source,
      description:
        'Use the same key when you retry: the server runs the request once and repeats the answer.',
    },
  },
} as const

export interface DescribedRoute extends RouteFacts {
  readonly body: BodyMeta
}
type BodyMeta =
  { readonly description?: string | undefined; readonly examples?: readonly unknown[] } | undefined

interface CollectedRoute {
  readonly schema?: FastifySchema | undefined
  readonly route: RouteOptions
}

/** The metadata of schemas for whole bodies is lost where the document only refers to a schema. */
export function factsOf(method: string, { schema, route }: CollectedRoute): DescribedRoute {
  const { body, response = {} } = schema ?? {}
  const responses = Object.entries(response as Answers)
    .map(([status, answer]) => [status, schemaOf(answer)] as const)
    .filter((entry): entry is [string, z.ZodType] => entry[1] !== undefined)
  return {
    method,
    config: route.config ?? {},
    hasBodySchema: body !== undefined,
    responses: Object.fromEntries(responses),
    body: metaOf(body),
  }
}

/** The schema of an answer as JSON. */
function schemaOf(answer: z.ZodType | { readonly content: AnswerContent }): z.ZodType | undefined {
  return answer instanceof z.ZodType ? answer : answer.content[JSON_TYPE]?.schema
}
type Answers = Readonly<Record<string, Parameters<typeof schemaOf>[0]>>
type AnswerContent = Readonly<Record<string, { readonly schema: z.ZodType }>>

const JSON_TYPE = 'application/json'

const metaOf = (schema: unknown): BodyMeta =>
  schema instanceof z.ZodType ? schema.meta() : undefined

/** Changes the parts of an operation that come from schemas of its route. */
export type Finish = <Value>(value: Value) => Value

/** Adds the examples and descriptions of bodies, where API explorers show them, and all refusals. */
export function describeOperation(
  operation: Operation,
  route: DescribedRoute,
  finished: Finish,
): void {
  const { requestBody, responses } = operation
  if (requestBody) {
    addExample(requestBody, route.body)
    if (route.config.hasOptionalBody) requestBody.required = false
    operation.requestBody = finished(requestBody)
  }
  const answers = Object.entries(responses)
    .filter(([status]) => !isRefusal(route.responses[status]))
    .map(([status, answer]) => [status, describedAnswer(status, answer, route)] as const)
  operation.responses = { ...finished(Object.fromEntries(answers)), ...refusalResponses(route) }
}

const isRefusal = (schema: z.ZodType | undefined): boolean =>
  schema !== undefined && refusalsOf(schema).length > 0

function describedAnswer(status: string, answer: Response, route: DescribedRoute): Response {
  const about = metaOf(route.responses[status])
  const headers = headersOf(status, route)
  const described = {
    ...answer,
    ...(about && { description: about.description ?? 'The answer.' }),
    ...(headers && { headers }),
    ...(answer.content && { content: opened(answer.content) as NonNullable<Body['content']> }),
  }
  addExample(described, about)
  return described
}

function addExample(body: Body, about: BodyMeta): void {
  const [example] = about?.examples ?? []
  if (example === undefined) return
  for (const [type, media] of Object.entries(body.content ?? {}))
    if (type === JSON_TYPE) media.example = example
}

function headersOf(status: string, { config, method }: RouteFacts) {
  if (status.startsWith('3')) return { location: LOCATION }
  if (status.startsWith('2') && config.isKeyed === true && method !== 'get')
    return { [REPLAYED_HEADER]: REPLAYED }
  return undefined
}

const LOCATION: Header = {
  description: 'Where to go.',
  required: true,
  schema: { type: 'string' },
}
const REPLAYED: Header = {
  description: 'On an answer that is a repeat of an earlier one.',
  schema: { type: 'string', const: 'true' },
}

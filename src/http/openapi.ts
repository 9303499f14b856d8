import swagger from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_FORM, SIGNATURE_HEADER } from '../protocol/headers.ts'
import { VERSION } from '../version.ts'
import { allowAdmin } from './admin/access.ts'
import { explorerRoutes } from './explorer.ts'
import { named } from './plugin-name.ts'
import { SIGNATURE_MAX_AGE_SECONDS } from './signature.ts'
import type { FastifyInstance } from 'fastify'
import type { AdminSessions } from './admin/session.ts'

/** Collects all routes that are registered afterwards into an OpenAPI 3.1 document, generated from their schemas. */
export async function collectOpenApi(http: FastifyInstance): Promise<void> {
  const metaByRoute = new Map<string, SchemaMeta>()
  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Channelstream API',
        version: VERSION,
        description: 'A realtime server that other applications drive over REST.',
      },
      components: {
        securitySchemes: {
          signature: {
            type: 'apiKey',
            in: 'header',
            name: SIGNATURE_HEADER,
            description:
              'Any value, signed with the secret by itsdangerous’ TimestampSigner. ' +
              `Valid for ${SIGNATURE_MAX_AGE_SECONDS} seconds.`,
          },
        },
      },
    },
    transform(route) {
      for (const method of [route.route.method].flat())
        metaByRoute.set(`${method.toLowerCase()} ${route.url}`, metaOf(route.schema))
      return withIdempotencyKey(route)
    },
    transformObject(document) {
      const made = jsonSchemaTransformObject(document)
      addMeta(made as { readonly paths: Paths }, metaByRoute)
      return made
    },
  })
}

/** The metadata of zod schemas for whole bodies. It is lost where the document only refers to a schema. */
interface SchemaMeta {
  readonly body: BodyMeta
  readonly response: Readonly<Record<string, BodyMeta>>
}
type BodyMeta =
  { readonly description?: string | undefined; readonly examples?: readonly unknown[] } | undefined

function metaOf({ body, response = {} }: { body?: unknown; response?: unknown } = {}): SchemaMeta {
  const about = (schema: unknown): BodyMeta =>
    schema instanceof z.ZodType ? schema.meta() : undefined
  const statuses = Object.entries(response as object).map(
    ([status, schema]) => [status, about(schema)] as const,
  )
  return { body: about(body), response: Object.fromEntries(statuses) }
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>
interface Operation {
  readonly requestBody?: Body
  readonly responses: Readonly<Record<string, Body>>
}
interface Body {
  description?: string
  readonly content?: Readonly<Record<string, { example?: unknown }>>
}

/** Adds the example and the description next to each body, where API explorers show them. */
function addMeta(
  { paths }: { readonly paths: Paths },
  metaByRoute: ReadonlyMap<string, SchemaMeta>,
): void {
  for (const [path, item] of Object.entries(paths))
    for (const [method, operation] of Object.entries(item)) {
      const { body, response } = metaByRoute.get(`${method} ${path}`) ?? {
        body: undefined,
        response: {},
      }
      if (operation.requestBody) addBodyMeta(operation.requestBody, body)
      for (const [status, answer] of Object.entries(operation.responses)) {
        if (response[status]) answer.description = response[status].description ?? 'The answer.'
        addBodyMeta(answer, response[status])
      }
    }
}

function addBodyMeta(body: Body, about: BodyMeta): void {
  const [example] = about?.examples ?? []
  if (example === undefined) return
  for (const media of Object.values(body.content ?? {})) media.example = example
}

/** The header is read before any schema applies, so no schema contains it. */
const withIdempotencyKey: typeof jsonSchemaTransform = (route) => {
  const { schema, url } = jsonSchemaTransform(route)
  const { config, method } = route.route
  const isKeyed = config?.isKeyed === true && method !== 'GET'
  return { schema: isKeyed ? { ...schema, headers: IDEMPOTENCY_KEY } : schema, url }
}

const IDEMPOTENCY_KEY = {
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

/**
 * `/openapi.json` and `/api-explorer`, for users who are signed in to admin (recorded: others get 403 and the form).
 */
export async function serveOpenApi(http: FastifyInstance, sessions: AdminSessions): Promise<void> {
  const describe = (prefix: string): object => ({
    ...withoutUnusedSchemas(http.swagger() as OpenApi),
    servers: [{ url: prefix || '/' }],
  })
  const guarded = { onRequest: allowAdmin(sessions), schema: { hide: true } }
  http.get('/openapi.json', guarded, async (request) => describe(request.caller.view.prefix))
  await http.register(named(explorerRoutes), { sessions, describe })
}

interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

/** Each schema is collected in two forms, as input and as output. Most schemas need only one of them. */
function withoutUnusedSchemas<Document extends OpenApi>(document: Document): Document {
  const { schemas } = document.components
  const text = JSON.stringify(document)
  const isUsed = ([name]: [string, unknown]): boolean =>
    text.includes(`"#/components/schemas/${name}"`)
  const used = Object.fromEntries(Object.entries(schemas).filter(isUsed))
  const pruned = { ...document, components: { ...document.components, schemas: used } }
  return Object.keys(used).length === Object.keys(schemas).length
    ? pruned
    : withoutUnusedSchemas(pruned)
}

import swagger from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { VERSION } from '../../version.ts'
import { allowAdmin } from '../admin/access.ts'
import { explorerRoutes } from '../explorer.ts'
import { named } from '../plugin-name.ts'
import { INFO, SECURITY_SCHEMES, TAGS } from './about.ts'
import { forPeople } from './for-people.ts'
import { withLimit } from './limits.ts'
import { IDEMPOTENCY_KEY_HEADERS, describeOperation, factsOf } from './operations.ts'
import { FORM_SCHEMAS } from './refusals.ts'
import { PlainNames, isOfRequest, mapObjects, opened, usedSchemas } from './schemas.ts'
import { WEBHOOKS } from './webhooks.ts'
import type { FastifyInstance } from 'fastify'
import type { AdminSessions } from '../admin/session.ts'
import type { Described } from './for-people.ts'
import type { DescribedLimits } from './limits.ts'
import type { DescribedRoute, Finish } from './operations.ts'
import type { OpenApi, Schema } from './types.ts'

/**
 * Collects all routes that are registered afterwards into an OpenAPI 3.1 document, generated from their schemas. Reasons
 * are in docs/decisions/0047-the-description-of-the-api.md.
 */
export async function collectOpenApi(http: FastifyInstance): Promise<void> {
  const routes = new Map<string, DescribedRoute>()
  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...INFO, version: VERSION },
      tags: TAGS,
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    transform(route) {
      for (const method of [route.route.method].flat()) {
        const facts = factsOf(method.toLowerCase(), route)
        routes.set(`${facts.method} ${route.url}`, facts)
      }
      return withIdempotencyKey(route)
    },
    transformObject: (document) =>
      completed(jsonSchemaTransformObject(document) as unknown as OpenApi, routes),
  })
}

function completed(document: OpenApi, routes: ReadonlyMap<string, DescribedRoute>): never {
  const used = usedSchemas(document.components.schemas, [document.paths, WEBHOOKS, FORM_SCHEMAS])
  const names = new PlainNames(used)
  const finished: Finish = (value) =>
    mapObjects(value, (object) => names.inReference(object)) as typeof value
  for (const [path, item] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(item)) {
      const route = routes.get(`${method} ${path}`)
      if (route) describeOperation(operation, route, finished)
    }
  const schemas = Object.entries(used).map(([name, schema]) => {
    const isAnswer = !isOfRequest(name)
    return [names.of(name), finished(isAnswer ? (opened(schema) as Schema) : schema)] as const
  })
  const components = { ...document.components, schemas: Object.fromEntries(schemas) }
  return { ...document, components, webhooks: WEBHOOKS } as never
}

/** The header is read before any schema applies, so no schema contains it. */
const withIdempotencyKey: typeof jsonSchemaTransform = (route) => {
  const { schema, url } = jsonSchemaTransform(route)
  const { config, method } = route.route
  const isKeyed = config?.isKeyed === true && method !== 'GET'
  return { schema: isKeyed ? { ...schema, headers: IDEMPOTENCY_KEY_HEADERS } : schema, url }
}

const withLimits = (document: unknown, limits: DescribedLimits): unknown =>
  mapObjects(document, (object) => withLimit(object, limits))

/**
 * `/openapi.json` and `/api-explorer`, for users who are signed in to admin (recorded: others get 403 and the form).
 */
export async function serveOpenApi(
  http: FastifyInstance,
  sessions: AdminSessions,
  /** May return another object later. */
  limits: () => DescribedLimits,
): Promise<void> {
  let made: { readonly by: DescribedLimits; readonly document: Described } | undefined
  const document = (): Described => {
    const by = limits()
    if (made?.by !== by) made = { by, document: withLimits(http.swagger(), by) as Described }
    return made.document
  }
  const describe = (prefix: string) => ({
    ...document(),
    servers: [{ url: prefix || '/' }],
  })
  const guarded = { onRequest: allowAdmin(sessions), schema: { hide: true } }
  http.get('/openapi.json', guarded, async (request) => describe(request.caller.view.prefix))
  await http.register(named(explorerRoutes), {
    sessions,
    describe: (prefix: string) => forPeople(describe(prefix)),
  })
}

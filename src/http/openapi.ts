import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { RequestError } from '../protocol/errors.ts'
import { IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_FORM, SIGNATURE_HEADER } from '../protocol/headers.ts'
import { SIGNATURE_MAX_AGE_SECONDS } from './signature.ts'
import { VERSION } from '../version.ts'
import { requireAdmin } from './admin/routes.ts'
import type { AdminSessions } from './admin/session.ts'
import type { FastifyInstance } from 'fastify'

/** Collects the routes that are registered after it into an OpenAPI 3.1 document, made from their schemas. */
export async function collectOpenApi(http: FastifyInstance): Promise<void> {
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
              'Any value signed with the secret by itsdangerous’ TimestampSigner; ' +
              `good for ${SIGNATURE_MAX_AGE_SECONDS} seconds.`,
          },
        },
      },
    },
    transform: withIdempotencyKey,
    transformObject: jsonSchemaTransformObject,
  })
}

/** The header is read before schemas count, and stands in none of them. */
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
      description: 'The same for a request and its repeats, which are answered and not done again.',
    },
  },
} as const

/** `/openapi.json` and `/api-explorer`, for those who are signed in to admin (recorded: others get 403 and the form). */
export async function serveOpenApi(http: FastifyInstance, sessions: AdminSessions): Promise<void> {
  http.get('/openapi.json', { schema: { hide: true } }, async (request) => {
    if (!request.caller.isBackend && !sessions.isSignedIn(request.raw))
      throw new RequestError('FORBIDDEN')
    return withoutUnusedSchemas(http.swagger() as OpenApi)
  })
  await http.register(async (explorer) => {
    explorer.addHook('onRequest', requireAdmin(sessions))
    await explorer.register(swaggerUi, {
      routePrefix: '/api-explorer',
      staticCSP: CONTENT_SECURITY_POLICY,
    })
  })
}

/** Swagger UI sets styles from its script. Not `upgrade-insecure-requests`: the server itself speaks plain http. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

interface OpenApi {
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

/** Every schema is collected in two forms, as it is sent and as it is answered; most need one of them only. */
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

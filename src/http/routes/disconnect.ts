import { isJsonObject } from '../../protocol/json-object.ts'
import { ConnIdQuery, DisconnectRequest } from '../../protocol/requests.ts'
import { DisconnectResponse, invalidAnswer } from '../../protocol/responses.ts'
import { parseAs } from '../validation.ts'
import { lastOf } from './common.ts'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

const about = {
  tags: ['Client API'],
  summary: 'End a connection',
  description:
    'Anyone who knows the conn_id can end the connection. Returns false if the connection is unknown.',
  response: {
    200: DisconnectResponse,
    422: invalidAnswer('The conn_id is missing or malformed.', {
      conn_id: ['Not a valid UUID.'],
    }),
  },
}

/** `GET` and `POST /disconnect`, unsigned. A missing conn_id counts as null (recorded: disconnect-bad). */
export const disconnectRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  const disconnect = (body: unknown) => hub.disconnect(parseAs(DisconnectRequest, body).conn_id)

  const byQuery = (request: FastifyRequest) =>
    disconnect({ conn_id: lastOf(request, 'conn_id') ?? null })

  http.get('/disconnect', {
    exposeHeadRoute: true,
    schema: { ...about, querystring: ConnIdQuery },
    handler: byQuery,
  })
  http.route({
    method: ['PUT', 'PATCH', 'DELETE'], // as in the Python server: all methods but POST use the query
    url: '/disconnect',
    config: { body: 'unread' },
    schema: { hide: true },
    handler: byQuery,
  })
  http.post('/disconnect', {
    config: { isKeyed: true },
    // The schema is only for the documentation. Clients may send anything here; only the conn_id is validated.
    validatorCompiler: () => (value: unknown) => ({ value }),
    schema: { ...about, body: DisconnectRequest },
    handler: ({ body }: { body: unknown }) =>
      disconnect(isJsonObject(body) ? { conn_id: body['conn_id'] ?? null } : body),
  })
}

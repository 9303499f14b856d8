import { errorAnswer, invalidAnswer } from '../../protocol/error-answers.ts'
import { RequestError } from '../../protocol/errors.ts'
import { EXAMPLES } from '../../protocol/examples.ts'
import { isJsonObject } from '../../protocol/json-object.ts'
import { ConnIdQuery, RequiredConnIdQuery } from '../../protocol/queries.ts'
import { DisconnectRequest, DisconnectUserRequest } from '../../protocol/requests.ts'
import { DisconnectResponse, DisconnectUserResponse } from '../../protocol/responses.ts'
import { parseAs, withUnknownFields } from '../validation.ts'
import { isByUser, lastOf } from './common.ts'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import type { ApiOptions } from './common.ts'

type DisconnectAnswer = boolean | z.output<typeof DisconnectUserResponse>

const about = {
  tags: ['Client API'],
  security: [],
  summary: 'End a connection',
  description:
    'Anyone who knows the conn_id can end the connection. Returns false if the connection is unknown. ' +
    'With a username in the body, and a signature, ends all connections of the user.',
  response: {
    200: DisconnectResponse,
    422: invalidAnswer('The conn_id is missing or malformed.', {
      conn_id: ['Not a valid UUID.'],
    }),
  },
}

/** `GET` and `POST /disconnect`, unsigned. A missing conn_id counts as null (recorded: disconnect-bad). */
export const disconnectRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, unknownFields } = options
  const UserRequest = withUnknownFields(DisconnectUserRequest, unknownFields)
  const disconnect = (body: unknown) => hub.disconnect(parseAs(DisconnectRequest, body).conn_id)

  const byQuery = (request: FastifyRequest) =>
    disconnect({ conn_id: lastOf(request, 'conn_id') ?? null })

  http.get('/disconnect', {
    exposeHeadRoute: true,
    schema: { ...about, operationId: 'disconnectByQuery', querystring: RequiredConnIdQuery },
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
    config: { isKeyed: true, hasOptionalBody: true },
    // The schema is only for the documentation. Clients may send anything here; only the conn_id is validated.
    validatorCompiler: () => (value: unknown) => ({ value }),
    schema: {
      ...about,
      operationId: 'disconnect',
      security: [{}, { signature: [] }],
      querystring: ConnIdQuery,
      body: DisconnectRequest.or(DisconnectUserRequest).meta({
        examples: [EXAMPLES.disconnect],
      }),
      response: {
        ...about.response,
        200: DisconnectResponse.or(DisconnectUserResponse).meta({
          description:
            'Whether the connection was known; for a username, the connections that were ended.',
          examples: [true],
        }),
        403: errorAnswer('FORBIDDEN', 'A username needs a signature.'),
      },
    },
    handler(request): Promise<DisconnectAnswer> | DisconnectAnswer {
      const body: unknown = request.body
      if (isJsonObject(body) && isByUser(body)) {
        // A conn_id is a secret of its client, but user names are public.
        if (!request.caller.isBackend) throw new RequestError('FORBIDDEN')
        return hub.disconnectUser(parseAs(UserRequest, body))
      }
      if (isJsonObject(body)) return disconnect({ conn_id: body['conn_id'] ?? null })
      const hasOnlyQuery = (body ?? null) === null && lastOf(request, 'conn_id') !== undefined
      return hasOnlyQuery ? byQuery(request) : disconnect(body)
    },
  })
}

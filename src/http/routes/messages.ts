import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { ERROR_RESPONSES, about, backend, unhurried, within } from './common.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

/** Messages: a list in; out comes the same list with what was filled in. */
export const messageRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  const preValidation = within(hub.bounds.messages)
  http.post('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'Post messages',
        'To channels, to users, or to users within a channel. Unknown channels lose theirs.',
      ),
      body: Requests.MessagesRequest,
      response: { 200: Responses.MessagesResponse, ...ERROR_RESPONSES },
    },
    handler: (request) => unhurried(request, hub.postMessages(request.body, request.keyedId)),
  })

  http.patch('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'Edit messages',
        'Changes messages in history and catch-up, and tells it, known messages or not.',
      ),
      body: Requests.EditsRequest,
      response: { 200: Responses.EditsResponse, ...ERROR_RESPONSES },
    },
    handler: (request) => unhurried(request, hub.editMessages(request.body, request.keyedId)),
  })

  http.delete('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'Delete messages',
        'Takes messages out of history and catch-up, and tells it, known messages or not.',
      ),
      body: Requests.DeletesRequest,
      response: { 200: Responses.DeletesResponse, ...ERROR_RESPONSES },
    },
    handler: (request) => unhurried(request, hub.deleteMessages(request.body, request.keyedId)),
  })
}

import { errorAnswers } from '../../protocol/error-answers.ts'
import { MessageQuery } from '../../protocol/queries.ts'
import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { about, backend, inLaterTurnIfLong, checkLimit, userLimit } from './common.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { PostedMessage } from '../../protocol/posted.ts'
import type { ApiOptions } from './common.ts'

const TOO_MANY_MESSAGES = userLimit(
  'TOO_MANY_MESSAGES',
  'A user posts more than message_rate_per_user.',
  { 0: { user: ['Too many messages. Wait 2 seconds.'] } },
)

/** The routes for messages. Each takes a list and returns it with the missing fields filled in. */
export const messageRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  const preValidation = checkLimit(hub.bounds.messages)
  http.post('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'postMessages',
        'Post messages',
        'Sends messages to channels, to users, or to users within a channel. Messages to unknown channels are dropped.',
      ),
      querystring: MessageQuery,
      body: Requests.MessagesRequest,
      response: {
        200: Responses.PostedResponse,
        429: errorAnswers(TOO_MANY_MESSAGES),
      },
    },
    handler: (request) =>
      inLaterTurnIfLong<PostedMessage[]>(
        request,
        request.query.recipients
          ? hub.postAndCount(request.body, request.keyedId)
          : hub.postMessages(request.body, request.keyedId),
      ),
  })

  http.patch('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'editMessages',
        'Edit messages',
        'Changes messages in history and catch-up. Subscribers get an event even if the server does not know the message.',
      ),
      body: Requests.EditsRequest,
      response: { 200: Responses.EditsResponse },
    },
    handler: (request) =>
      inLaterTurnIfLong(request, hub.editMessages(request.body, request.keyedId)),
  })

  http.delete('/message', {
    config: backend,
    preValidation,
    schema: {
      ...about(
        'deleteMessages',
        'Delete messages',
        'Removes messages from history and catch-up. Subscribers get an event even if the server does not know the message.',
      ),
      body: Requests.DeletesRequest,
      response: { 200: Responses.DeletesResponse },
    },
    handler: (request) =>
      inLaterTurnIfLong(request, hub.deleteMessages(request.body, request.keyedId)),
  })
}

import { errorAnswer } from '../../protocol/error-answers.ts'
import { HistoryRequest } from '../../protocol/history.ts'
import { HistoryResponse } from '../../protocol/responses.ts'
import { about, asSchemaType, backend } from './common.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

/** `POST /history`: a channel's messages, page by page. Not in Channelstream. */
export const historyRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler } = options
  http.post('/history', {
    config: backend,
    serializerCompiler,
    schema: {
      ...about(
        'history',
        'Read a history',
        'Returns stored messages of a channel, page by page. Without a username it includes private messages: for backends only.',
      ),
      body: HistoryRequest,
      response: {
        200: HistoryResponse,
        410: errorAnswer('OUTDATED_ID', 'The id is from before the server lost its data.'),
      },
    },
    handler: (request) => asSchemaType(hub.history(request.body)),
  })
}

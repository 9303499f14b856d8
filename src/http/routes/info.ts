import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { ERROR_RESPONSES, about, asSchemaType, backend, checkLimit } from './common.ts'
import type { preValidationHookHandler } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

/** `/info`. Any method works, as in the Python server; GET and HEAD describe all channels. */
export const infoRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler } = options
  const preValidation = [checkLimit(hub.bounds.info), defaultToEverything]
  const info = about(
    'Describe channels',
    'Returns channels and their users; without a body, all channels. Histories include private messages: for backends only.',
  )
  const infoResponses = { 200: Responses.ChannelsInfo, ...ERROR_RESPONSES }
  http.get('/info', {
    config: backend,
    exposeHeadRoute: true,
    schema: { ...info, response: infoResponses },
    serializerCompiler,
    handler: () => asSchemaType(hub.info(Requests.INFO_DEFAULTS)),
  })
  const body = Requests.InfoRequest
  http.post('/info', {
    config: backend,
    preValidation,
    schema: { ...info, body, response: infoResponses },
    serializerCompiler,
    handler: (request) => asSchemaType(hub.info(request.body.info)),
  })
  http.route({
    method: ['PUT', 'PATCH', 'DELETE'], // as in the Python server: any method
    url: '/info',
    config: backend,
    preValidation,
    schema: { hide: true, body },
    serializerCompiler,
    handler: (request) => asSchemaType(hub.info(request.body.info)),
  })
}

const defaultToEverything: preValidationHookHandler = (request, _reply, done) => {
  if (request.body === undefined) request.body = { info: {} }
  done()
}

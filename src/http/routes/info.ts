import { EXAMPLES } from '../../protocol/examples.ts'
import {
  CountsRequest,
  InfoBody,
  InfoRequest,
  isCountsRequest,
} from '../../protocol/info-requests.ts'
import { INFO_DEFAULTS } from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { parseAs, withUnknownFields } from '../validation.ts'
import { about, asSchemaType, backend, checkLimit } from './common.ts'
import type { FastifyRequest, preValidationHookHandler } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

const DESCRIPTION =
  'Returns channels and their users; without a body, all channels. Histories include private messages: for backends only.'
const OTHER_FORMS =
  ' With counts or users in place of info, returns totals of channels, or who of these users is online and where.'

/** `/info`. Any method works, as in the Python server; GET and HEAD describe all channels. */
export const infoRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler, unknownFields } = options
  const Info = withUnknownFields(InfoRequest, unknownFields)
  const Counts = withUnknownFields(CountsRequest, unknownFields)
  const preValidation = [checkLimit(hub.bounds.info), defaultToEverything]
  http.get('/info', {
    config: backend,
    exposeHeadRoute: true,
    schema: {
      ...about('describeChannels', 'Describe channels', DESCRIPTION),
      response: { 200: Responses.ChannelsInfo },
    },
    serializerCompiler,
    handler: () => asSchemaType(hub.info(INFO_DEFAULTS)),
  })
  const answer = (body: unknown): Promise<object> =>
    isCountsRequest(body) ? hub.counts(parseAs(Counts, body)) : hub.info(parseAs(Info, body).info)
  const forAnyBody = {
    config: { ...backend, hasOptionalBody: true },
    preValidation,
    // The schema is only for the documentation: `answer` chooses the one to check.
    validatorCompiler: () => (value: unknown) => ({ value }),
    serializerCompiler,
    handler: async ({ body }: FastifyRequest) => asSchemaType(answer(body)),
  }
  http.post('/info', {
    ...forAnyBody,
    schema: {
      ...about('info', 'Describe or count channels, find users', DESCRIPTION + OTHER_FORMS),
      body: InfoBody,
      response: {
        200: Responses.ChannelsInfo.or(Responses.CountsResponse).meta({
          description: 'Channels and their users; with counts or users, totals and online users.',
          examples: [EXAMPLES.channelsInfo],
        }),
      },
    },
  })
  http.route({
    ...forAnyBody,
    method: ['PUT', 'PATCH', 'DELETE'], // as in the Python server: any method
    url: '/info',
    schema: { hide: true },
  })
}

const defaultToEverything: preValidationHookHandler = (request, _reply, done) => {
  if (request.body === undefined) request.body = { info: {} }
  done()
}

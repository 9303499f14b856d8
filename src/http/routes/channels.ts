/** Users’ state, channels’ settings, and what there is. Source: recorded behaviour of Channelstream 0.7.1. */
import { addComplaint } from '../../protocol/complaints.ts'
import { RequestError, invalid } from '../../protocol/errors.ts'
import { COMPLAINT, isJsonObject } from '../../protocol/fields.ts'
import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { ERROR_RESPONSES, about, backend, refuseFaults, within, written } from './common.ts'
import type { FastifyRequest, preValidationHookHandler } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Complaints } from '../../protocol/complaints.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { ApiOptions } from './common.ts'

export const channelRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler } = options
  http.post('/user_state', {
    config: backend,
    preValidation: within(hub.bounds.user),
    attachValidation: true,
    schema: {
      ...about(
        'Set a user’s state',
        'Changes are announced in the user’s channels that have notify_state.',
      ),
      body: Requests.UserStateRequest,
      response: { 200: Responses.UserStateResponse, ...ERROR_RESPONSES },
    },
    async handler(request) {
      await refuseFaults(request, async ({ user }, faults) => {
        const isKnown = typeof user !== 'string' || (await hub.hasUser(user as UserName))
        if (!isKnown) addComplaint(faults, ['user'], 'Unknown user')
      })
      return hub.setUserState(request.body)
    },
  })

  http.post('/channel_config', {
    config: backend,
    preValidation: within(hub.bounds.settings),
    serializerCompiler,
    attachValidation: true,
    schema: {
      ...about(
        'Configure channels',
        'Gives channels settings, whole: what is left out gets its default. Unknown channels are made.',
      ),
      body: Requests.ChannelConfigRequest,
      response: { 200: Responses.ChannelsInfo, ...ERROR_RESPONSES },
    },
    async handler(request) {
      refuseFirstChannel(request)
      return written(hub.configureChannels(request.body))
    },
  })
}

/** `/info`, by any method as in the Python server; GET and HEAD describe everything. */
export const infoRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler } = options
  const preValidation = [within(hub.bounds.info), everythingWithoutBody]
  const info = about(
    'Describe channels',
    'Channels and their users; without a body all of them. Shows private messages in histories: meant for backends.',
  )
  const infoResponses = { 200: Responses.ChannelsInfo, ...ERROR_RESPONSES }
  http.get('/info', {
    config: backend,
    exposeHeadRoute: true,
    schema: { ...info, response: infoResponses },
    serializerCompiler,
    handler: () => written(hub.info(EVERYTHING)),
  })
  const body = Requests.InfoRequest
  http.post('/info', {
    config: backend,
    preValidation,
    schema: { ...info, body, response: infoResponses },
    serializerCompiler,
    handler: (request) => written(hub.info(request.body.info)),
  })
  http.route({
    method: ['PUT', 'PATCH', 'DELETE'], // as the Python server: any method
    url: '/info',
    config: backend,
    preValidation,
    schema: { hide: true, body },
    serializerCompiler,
    handler: (request) => written(hub.info(request.body.info)),
  })
}

const EVERYTHING = Requests.InfoOptions.parse({})

const everythingWithoutBody: preValidationHookHandler = (request, _reply, done) => {
  if (request.body === undefined) request.body = { info: {} }
  done()
}

/** Channels are read one after the other: the faults of the first bad one are told, without its name. */
function refuseFirstChannel(request: FastifyRequest): void {
  const fault: Error | undefined = request.validationError
  if (!fault) return
  if (!(fault instanceof RequestError) || !isJsonObject(request.body)) throw fault
  const complaints = fault.complaints as Complaints
  const [first] = Object.values(complaints)
  const faults = (first as Complaints | undefined)?.['value'] ?? first
  if (Array.isArray(faults)) throw invalid({ _schema: ['Invalid input type.'] })
  // Where they are the only ones, it is theirs that there are more of.
  if (faults && Object.keys(complaints).length === 2 && Array.isArray(complaints['_schema']))
    addComplaint(faults, [], COMPLAINT.more)
  throw new RequestError('INVALID', faults)
}

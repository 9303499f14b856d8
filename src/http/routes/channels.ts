/** The routes for user state and channel settings. Source: recorded behaviour of Channelstream 0.7.1. */
import { addComplaint, listComplaints } from '../../protocol/complaints.ts'
import { RequestError, invalid } from '../../protocol/errors.ts'
import { COMPLAINT } from '../../protocol/fields.ts'
import { ChannelNameSchema } from '../../protocol/ids.ts'
import { isJsonObject } from '../../protocol/json-object.ts'
import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import { about, backend, throwInvalid, checkLimit, asSchemaType } from './common.ts'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Complaints, Fault } from '../../protocol/complaints.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { ApiOptions } from './common.ts'

export const channelRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler, checksConfiguredNames } = options
  http.post('/user_state', {
    config: backend,
    preValidation: checkLimit(hub.bounds.user),
    attachValidation: true,
    schema: {
      ...about(
        'userState',
        'Set a user’s state',
        'Sends an event to the user’s channels that have notify_state.',
      ),
      body: Requests.UserStateRequest,
      response: { 200: Responses.UserStateResponse },
    },
    async handler(request) {
      await throwInvalid(request, async ({ user }, faults) => {
        const isKnown = typeof user !== 'string' || (await hub.hasUser(user as UserName))
        if (!isKnown) addComplaint(faults, ['user'], 'Unknown user')
      })
      return hub.setUserState(request.body)
    },
  })

  http.post('/channel_config', {
    config: backend,
    preValidation: checkLimit(hub.bounds.settings),
    serializerCompiler,
    attachValidation: true,
    schema: {
      ...about(
        'channelConfig',
        'Configure channels',
        'Replaces the settings of channels: missing settings get their defaults. Unknown channels are created.',
      ),
      body: Requests.ChannelConfigRequest,
      response: { 200: Responses.ChannelsInfo },
    },
    async handler(request) {
      throwFirstChannelErrors(request)
      if (checksConfiguredNames) checkNames(request.body)
      return asSchemaType(hub.configureChannels(request.body))
    },
  })
}

/** Throws `INVALID` for names that no other request accepts. The first fault of each is named. */
function checkNames(configs: Requests.ChannelConfigRequest): void {
  const faults = Object.keys(configs).flatMap((name): Fault[] => {
    const { error } = ChannelNameSchema.safeParse(name)
    const [issue] = error?.issues ?? []
    return issue ? [[[name], issue.message]] : []
  })
  if (faults.length > 0) throw invalid(listComplaints(faults))
}

/** Channels are validated one by one: throws the errors of the first invalid one, without its name. */
function throwFirstChannelErrors(request: FastifyRequest): void {
  const fault: Error | undefined = request.validationError
  if (!fault) return
  if (!(fault instanceof RequestError) || !isJsonObject(request.body)) throw fault
  const complaints = fault.complaints as Complaints
  const [first] = Object.values(complaints)
  const faults = (first as Complaints | undefined)?.['value'] ?? first
  if (Array.isArray(faults)) throw invalid({ _schema: ['Invalid input type.'] })
  // If only this channel has errors, the note that there are more errors belongs to it.
  if (faults && Object.keys(complaints).length === 2 && Array.isArray(complaints['_schema']))
    addComplaint(faults, [], COMPLAINT.more)
  throw new RequestError('INVALID', faults)
}

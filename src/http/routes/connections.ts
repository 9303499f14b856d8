/**
 * The routes for connections and their channels. Each route parses, calls the hub and answers. Source: recorded
 * behaviour of Channelstream 0.7.1.
 */
import { addComplaint } from '../../protocol/complaints.ts'
import { errorAnswers } from '../../protocol/error-answers.ts'
import { parseConnId } from '../../protocol/ids.ts'
import { isJsonObject } from '../../protocol/json-object.ts'
import { ConnIdQuery } from '../../protocol/queries.ts'
import * as Requests from '../../protocol/requests.ts'
import * as Responses from '../../protocol/responses.ts'
import {
  about,
  backend,
  isByUser,
  lastOf,
  throwInvalid,
  checkLimit,
  asSchemaType,
  userLimit,
} from './common.ts'
import type { preValidationHookHandler } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Hub } from '../../core/hub.ts'
import type { Complaints } from '../../protocol/complaints.ts'
import type { ConnId } from '../../protocol/ids.ts'
import type { ApiOptions } from './common.ts'

const TOO_MANY_CONNECTIONS = userLimit(
  'TOO_MANY_CONNECTIONS',
  'The user has max_connections_per_user already.',
  { username: ['A user may have 5 connections.'] },
)
const TOO_MANY_CHANNELS = userLimit(
  'TOO_MANY_CHANNELS',
  'The user would be in more channels than max_channels_per_user.',
  { channels: ['A user may be in 100 channels.'] },
)
const OVER_CONNECT_LIMITS = errorAnswers(TOO_MANY_CONNECTIONS, TOO_MANY_CHANNELS)
const OVER_CHANNEL_LIMIT = errorAnswers(TOO_MANY_CHANNELS)

const CONNECT = {
  ...about(
    'connect',
    'Connect a user',
    'Creates a connection for a user and joins channels. The client then opens /ws or /listen with the conn_id.',
  ),
  body: Requests.ConnectRequest,
  response: { 200: Responses.ConnectResponse, 429: OVER_CONNECT_LIMITS },
}

export const connectionRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, options) => {
  const { hub, streamPagedAnswers: serializerCompiler, unknownFields } = options
  const readConnId = unknownFields === 'ignore' ? connIdWithoutUsername : connIdFromQuery
  http.post('/connect', {
    config: backend,
    preValidation: checkLimit(hub.bounds.channels),
    serializerCompiler,
    schema: CONNECT,
    handler({ body, keyedId }) {
      const connId = body.conn_id ?? (keyedId as ConnId | undefined)
      return asSchemaType(hub.connect({ ...body, conn_id: connId }))
    },
  })

  http.post('/subscribe', {
    config: backend,
    serializerCompiler,
    attachValidation: true,
    preValidation: [checkLimit(hub.bounds.channels), readConnId],
    schema: {
      ...about(
        'subscribe',
        'Join channels',
        'Adds a connection, or all connections of a user, to channels. Channels that it is already in are ignored.',
      ),
      querystring: ConnIdQuery,
      body: Requests.SubscribeRequest,
      response: { 200: Responses.SubscribeResponse, 429: OVER_CHANNEL_LIMIT },
    },
    async handler(request) {
      await throwInvalid(request, (body, faults) => addUnknownConnection(hub, body, faults))
      return asSchemaType(hub.subscribe(request.body))
    },
  })

  http.post('/unsubscribe', {
    config: backend,
    serializerCompiler,
    attachValidation: true,
    preValidation: [checkLimit(hub.bounds.channels), readConnId],
    schema: {
      ...about(
        'unsubscribe',
        'Leave channels',
        'Removes a connection, or all connections of a user, from channels. Channels that it is not in are ignored.',
      ),
      querystring: ConnIdQuery,
      body: Requests.UnsubscribeRequest,
      response: { 200: Responses.UnsubscribeResponse },
    },
    async handler(request) {
      await throwInvalid(request, (body, faults) => addUnknownConnection(hub, body, faults))
      return asSchemaType(hub.unsubscribe(request.body))
    },
  })
}

/**
 * A conn_id in the body takes precedence over the query, even if it is null. If both are missing it is null, unless a
 * username takes its place.
 */
const connIdFromQuery: preValidationHookHandler = (request, _reply, done) => {
  const { body } = request
  if (isJsonObject(body) && !Object.hasOwn(body, 'conn_id')) {
    const connId = lastOf(request, 'conn_id')
    if (connId !== undefined || !isByUser(body)) body['conn_id'] = connId ?? null
  }
  done()
}

/** Channelstream 0.7.1 of PyPI knows no username here, and ignores it. */
const connIdWithoutUsername: preValidationHookHandler = (request, reply, done) => {
  const { body } = request
  const isInQuery = lastOf(request, 'conn_id') !== undefined
  if (isJsonObject(body) && (isInQuery || Object.hasOwn(body, 'conn_id'))) delete body['username']
  connIdFromQuery.call(request.server, request, reply, done)
}

async function addUnknownConnection(
  hub: Hub,
  { conn_id: spelling }: Readonly<Record<string, unknown>>,
  faults: Complaints,
): Promise<void> {
  const connId = typeof spelling === 'string' ? parseConnId(spelling) : undefined
  const isKnown = connId === undefined || (await hub.hasConnection(connId))
  if (!isKnown) addComplaint(faults, ['conn_id'], 'Unknown connection')
}

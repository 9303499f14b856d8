/** The server's endpoints for backends. Requests and answers are declared in `protocol`. */
import * as Responses from '../protocol/responses.ts'
import type { z } from 'zod'

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** The schema of the answer. */
  readonly answer: z.ZodType
  /** The endpoint changes nothing, so retries need no key. */
  readonly isRead?: true
}

export const ENDPOINTS = {
  connect: { method: 'POST', path: '/connect', answer: Responses.ConnectResponse },
  subscribe: { method: 'POST', path: '/subscribe', answer: Responses.SubscribeResponse },
  unsubscribe: { method: 'POST', path: '/unsubscribe', answer: Responses.UnsubscribeResponse },
  disconnect: { method: 'POST', path: '/disconnect', answer: Responses.DisconnectResponse },
  message: { method: 'POST', path: '/message', answer: Responses.MessagesResponse },
  edit: { method: 'PATCH', path: '/message', answer: Responses.EditsResponse },
  delete: { method: 'DELETE', path: '/message', answer: Responses.DeletesResponse },
  userState: { method: 'POST', path: '/user_state', answer: Responses.UserStateResponse },
  channelConfig: { method: 'POST', path: '/channel_config', answer: Responses.ChannelsInfo },
  info: { method: 'POST', path: '/info', answer: Responses.ChannelsInfo, isRead: true },
  admin: {
    method: 'GET',
    path: '/admin/admin.json',
    answer: Responses.AdminResponse,
    isRead: true,
  },
  health: { method: 'GET', path: '/health', answer: Responses.HealthResponse, isRead: true },
} as const satisfies Record<string, Endpoint>

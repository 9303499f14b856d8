/** The server's endpoints for backends. */
import { ANSWERS } from './answers.ts'
import type { Shape } from './shape.ts'

export interface Endpoint<Answer> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** The query. It is not signed. */
  readonly query?: string
  readonly answer: Shape<Answer>
  /** The endpoint changes nothing, so retries need no key. */
  readonly isRead?: true
}

export const ENDPOINTS = {
  connect: { method: 'POST', path: '/connect', answer: ANSWERS.connect },
  subscribe: { method: 'POST', path: '/subscribe', answer: ANSWERS.subscribe },
  unsubscribe: { method: 'POST', path: '/unsubscribe', answer: ANSWERS.unsubscribe },
  disconnect: { method: 'POST', path: '/disconnect', answer: ANSWERS.disconnect },
  disconnectUser: { method: 'POST', path: '/disconnect', answer: ANSWERS.disconnectUser },
  message: { method: 'POST', path: '/message', answer: ANSWERS.messages },
  countedMessage: {
    method: 'POST',
    path: '/message',
    query: '?recipients=1',
    answer: ANSWERS.countedMessages,
  },
  edit: { method: 'PATCH', path: '/message', answer: ANSWERS.edits },
  delete: { method: 'DELETE', path: '/message', answer: ANSWERS.deletes },
  userState: { method: 'POST', path: '/user_state', answer: ANSWERS.userState },
  channelConfig: { method: 'POST', path: '/channel_config', answer: ANSWERS.channelsInfo },
  info: { method: 'POST', path: '/info', answer: ANSWERS.channelsInfo, isRead: true },
  history: { method: 'POST', path: '/history', answer: ANSWERS.history, isRead: true },
  counts: { method: 'POST', path: '/info', answer: ANSWERS.counts, isRead: true },
  admin: { method: 'GET', path: '/admin/admin.json', answer: ANSWERS.admin, isRead: true },
  health: { method: 'GET', path: '/health', answer: ANSWERS.health, isRead: true },
} as const satisfies Record<string, Endpoint<never>>

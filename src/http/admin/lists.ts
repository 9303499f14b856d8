/** What the panel needs and the backend API does not offer: pages of long lists, and figures over time. */
import {
  ChannelsPage,
  ChannelsQuery,
  FiguresResponse,
  UsersPage,
  UsersQuery,
  WebhooksResponse,
} from '../../protocol/admin.ts'
import { errorAnswer, invalidAnswer } from '../../protocol/error-answers.ts'
import { VERSION } from '../../version.ts'
import { allowAdmin } from './access.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Directory } from '../../core/queries/directory.ts'
import type { WebhookFigures } from '../../webhooks/webhooks.ts'
import type { AdminSessions } from './session.ts'

export interface ListOptions {
  readonly sessions: AdminSessions
  readonly directory: Directory
  readonly history: {
    series(): Pick<FiguresResponse, 'interval_seconds' | 'times' | 'series'>
    current(): FiguresResponse['current']
  }
  readonly uptimeSeconds: () => number
  /** Undefined without webhooks. */
  readonly webhooks: () => Promise<readonly WebhookFigures[]> | undefined
}

const about = (operationId: string, summary: string, description: string) => ({
  operationId,
  tags: ['Admin API'],
  summary,
  description: `${description} Needs a signature or a session of the admin pages.`,
  security: [{ signature: [] }, { session: [] }],
})

const FORBIDDEN = {
  403: errorAnswer('FORBIDDEN', 'The request is not signed, and nobody is signed in.'),
}
const REFUSALS = {
  ...FORBIDDEN,
  422: invalidAnswer('A parameter is invalid.', {
    limit: ['Must be less than or equal to 500.'],
  }),
}

export const listRoutes: FastifyPluginAsyncZod<ListOptions> = async (http, options) => {
  const { directory, history } = options
  http.addHook('onRequest', allowAdmin(options.sessions))

  http.get('/admin/channels.json', {
    schema: {
      ...about(
        'listChannels',
        'List channels',
        'Returns a page of the channels, searched by name and sorted.',
      ),
      querystring: ChannelsQuery,
      response: { 200: ChannelsPage, ...REFUSALS },
    },
    handler: ({ query }) => directory.channels(query),
  })
  http.get('/admin/users.json', {
    schema: {
      ...about(
        'listUsers',
        'List users',
        'Returns a page of the users, or of the members of a channel, searched by name.',
      ),
      querystring: UsersQuery,
      response: { 200: UsersPage, ...REFUSALS },
    },
    handler: ({ query }) => directory.users(query),
  })
  http.get('/admin/figures.json', {
    schema: {
      ...about(
        'figures',
        'Get the figures of the last hour',
        'Returns this server’s figures at intervals of five seconds.',
      ),
      response: { 200: FiguresResponse, ...FORBIDDEN },
    },
    handler: () => ({
      version: VERSION,
      uptime_seconds: options.uptimeSeconds(),
      ...history.series(),
      current: history.current(),
    }),
  })
  http.get('/admin/webhooks.json', {
    schema: {
      ...about(
        'webhooks',
        'Get the state of webhooks',
        'Returns the queue and the last failure of each url of `webhook_url`, from whichever server sends to it.',
      ),
      response: { 200: WebhooksResponse, ...FORBIDDEN },
    },
    handler: async () => ({ webhooks: ((await options.webhooks()) ?? []).map(webhookRow) }),
  })
}

const webhookRow = ({ endpoint, queued, dropped, status }: WebhookFigures) => ({
  endpoint,
  queued,
  dropped,
  failures: status?.failures ?? 0,
  last_error: status?.lastError ?? null,
  last_error_at: status?.lastErrorAt ?? null,
  last_success_at: status?.lastSuccessAt ?? null,
})

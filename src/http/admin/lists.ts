/** What the panel asks that the backends’ API cannot answer: pages of long lists, and figures over time. */
import {
  ChannelsPage,
  ChannelsQuery,
  FiguresResponse,
  UsersPage,
  UsersQuery,
} from '../../protocol/admin.ts'
import { errorAnswer, invalidAnswer } from '../../protocol/responses.ts'
import { VERSION } from '../../version.ts'
import { allowAdmin } from './access.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Directory } from '../../core/queries/directory.ts'
import type { AdminSessions } from './session.ts'

export interface ListOptions {
  readonly sessions: AdminSessions
  readonly directory: Directory
  readonly history: {
    series(): Pick<FiguresResponse, 'interval_seconds' | 'times' | 'series'>
    current(): FiguresResponse['current']
  }
  readonly uptimeSeconds: () => number
}

const about = (summary: string, description: string) => ({
  tags: ['Admin API'],
  summary,
  description: `${description} Signed, or with the session of the admin pages.`,
  security: [{ signature: [] }],
})

const FORBIDDEN = { 403: errorAnswer('FORBIDDEN', 'Neither signed in nor signed.') }
const REFUSALS = {
  ...FORBIDDEN,
  422: invalidAnswer('A parameter is not right.', {
    limit: ['Must be less than or equal to 500.'],
  }),
}

export const listRoutes: FastifyPluginAsyncZod<ListOptions> = async (http, options) => {
  const { directory, history } = options
  http.addHook('onRequest', allowAdmin(options.sessions))

  http.get('/admin/channels.json', {
    schema: {
      ...about('List channels', 'Some of the channels, found by name, in an order.'),
      querystring: ChannelsQuery,
      response: { 200: ChannelsPage, ...REFUSALS },
    },
    handler: ({ query }) => directory.channels(query),
  })
  http.get('/admin/users.json', {
    schema: {
      ...about('List users', 'Some of the users, or of the members of a channel, found by name.'),
      querystring: UsersQuery,
      response: { 200: UsersPage, ...REFUSALS },
    },
    handler: ({ query }) => directory.users(query),
  })
  http.get('/admin/figures.json', {
    schema: {
      ...about('Figures of the last hour', 'What this server did and held, every five seconds.'),
      response: { 200: FiguresResponse, ...FORBIDDEN },
    },
    handler: () => ({
      version: VERSION,
      uptime_seconds: options.uptimeSeconds(),
      ...history.series(),
      current: history.current(),
    }),
  })
}

import { HealthResponse } from '../../protocol/responses.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

/** `GET /health`: for load balancers. 503 while the server stops. Not in Channelstream. */
export const healthRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  http.get('/health', {
    schema: {
      tags: ['Operations'],
      summary: 'Whether the server works',
      description: 'Answers once the store has answered. Needs no signature and costs little.',
      response: { 200: HealthResponse },
    },
    async handler() {
      await hub.figures()
      return { status: 'ok' as const }
    },
  })
}

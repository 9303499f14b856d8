import { HealthResponse } from '../../protocol/responses.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

/** `GET /health`, for load balancers. Answers 503 while the server stops. Not in Channelstream. */
export const healthRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  http.get('/health', {
    schema: {
      tags: ['Operations'],
      summary: 'Check the health of the server',
      description: 'Checks that the store responds. Needs no signature and is cheap to call.',
      response: { 200: HealthResponse },
    },
    async handler() {
      await hub.figures()
      return { status: 'ok' as const }
    },
  })
}

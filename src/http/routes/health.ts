import { RequestError } from '../../protocol/errors.ts'
import { HealthResponse } from '../../protocol/responses.ts'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ApiOptions } from './common.ts'

const OK = { status: 'ok' } as const

/** Requests of load balancers and supervisors. None needs a signature. Not in Channelstream. */
export const healthRoutes: FastifyPluginAsyncZod<ApiOptions> = async (http, { hub }) => {
  const checkStore = async (): Promise<typeof OK> => {
    await hub.figures()
    return OK
  }
  const common = { tags: ['Operations'], security: [], response: { 200: HealthResponse } }

  http.get('/health', {
    exposeHeadRoute: true,
    config: { takesHttp: true },
    schema: {
      ...common,
      operationId: 'health',
      summary: 'Check the health of the server',
      description: 'Checks that the store responds. Needs no signature and is cheap to call.',
    },
    handler: checkStore,
  })

  http.get('/health/live', {
    exposeHeadRoute: true,
    config: { takesHttp: true },
    schema: {
      ...common,
      operationId: 'healthLive',
      summary: 'Check that the process responds',
      description:
        'Does not ask the store: while Redis is unavailable, a restart would not help. For the supervisor that ' +
        'restarts a process that hangs.',
    },
    handler: async () => OK,
  })

  http.get('/health/ready', {
    exposeHeadRoute: true,
    config: { takesHttp: true },
    schema: {
      ...common,
      operationId: 'healthReady',
      summary: 'Check that the server wants new clients',
      description:
        'Checks that the store responds. Answers 503 from the signal to stop on, also while it ' +
        'still serves because of `shutdown_delay`. For load balancers.',
    },
    async handler() {
      if (http.isLeaving) throw new RequestError('STOPPING')
      return checkStore()
    },
  })
}

import { z } from 'zod'
import { errorAnswer } from '../../protocol/error-answers.ts'
import { RequestError } from '../../protocol/errors.ts'
import { provenAddress } from '../forwarding.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { AddressList } from '../addresses.ts'
import type { ForwardingRules } from '../forwarding.ts'

const FIGURES = z.string().meta({ examples: ['channelstream_connections 1'] })

export interface MetricsOptions {
  readonly metrics: {
    expose(): Promise<{ readonly contentType: string; readonly text: string }>
  }
  readonly allowFrom: AddressList
  readonly forwarding: ForwardingRules
}

/**
 * `GET /metrics`, for Prometheus. Allowed from the addresses in `allow_metrics_from`, and with a signature from
 * addresses in `allow_posting_from`.
 */
export const metricsRoutes: FastifyPluginAsync<MetricsOptions> = async (http, options) => {
  http.get('/metrics', {
    config: { takesHttp: true },
    schema: {
      operationId: 'metrics',
      tags: ['Operations'],
      security: [{}, { signature: [] }],
      summary: 'Get metrics for Prometheus',
      description:
        'Returns metrics in the Prometheus text format. Allowed from addresses in allow_metrics_from, and with a signature.',
      response: {
        200: {
          description: 'Metrics, one per line.',
          content: { 'text/plain': { schema: FIGURES } },
        },
        403: errorAnswer(
          'FORBIDDEN',
          'The address is not in allow_metrics_from, or an untrusted proxy forwarded the request.',
        ),
      },
    },
    async handler(request, reply) {
      const { isBackend, view } = request.caller
      const address = provenAddress(request.raw, view, options.forwarding)
      if (!isBackend && !options.allowFrom.includes(address)) throw new RequestError('FORBIDDEN')
      const { contentType, text } = await options.metrics.expose()
      return reply.type(contentType).send(text)
    },
  })
}

import { z } from 'zod'
import { RequestError } from '../../protocol/errors.ts'
import { errorAnswer } from '../../protocol/responses.ts'
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

/** `GET /metrics`: for Prometheus, from the addresses of `allow_metrics_from`; with a signature from `allow_posting_from`. */
export const metricsRoutes: FastifyPluginAsync<MetricsOptions> = async (http, options) => {
  http.get('/metrics', {
    schema: {
      tags: ['Operations'],
      summary: 'Figures for Prometheus',
      description:
        'In the text format of Prometheus. Answered to the addresses of allow_metrics_from.',
      response: {
        200: {
          description: 'Figures, one a line.',
          content: { 'text/plain': { schema: FIGURES } },
        },
        403: errorAnswer(
          'FORBIDDEN',
          'The address is not in allow_metrics_from, or a proxy that is not trusted passed the request on.',
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

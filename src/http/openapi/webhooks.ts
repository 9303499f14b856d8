/** Describes the requests that the server sends: webhooks. */
import { WEBHOOK_HEADERS } from '../../protocol/headers.ts'
import { WebhookRequest } from '../../protocol/webhooks.ts'

const header = (name: string, description: string, example: string) => ({
  in: 'header',
  name,
  required: true,
  description,
  example,
  schema: { type: 'string' },
})

const [example] = WebhookRequest.meta()?.examples as [unknown]

export const WEBHOOKS = {
  events: {
    post: {
      operationId: 'receiveEvents',
      tags: ['Webhooks'],
      summary: 'Receive events of the server',
      description:
        'The server posts events to each url of webhook_url: who comes online and leaves, which channels are in use. ' +
        'An event may come twice, with the same id.',
      security: [],
      parameters: [
        header(WEBHOOK_HEADERS.timestamp, 'Seconds since 1970, signed.', '1795226488'),
        header(
          WEBHOOK_HEADERS.signature,
          'HMAC-SHA256 in hex of the timestamp, a dot, the path of the url, a dot, and the body as received. ' +
            'One for each secret, separated by commas.',
          'b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad',
        ),
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/WebhookRequest' },
            example,
          },
        },
      },
      responses: {
        '2XX': { description: 'The events are stored. The content does not matter.' },
        '4XX': { description: 'Not stored. The server sends the events again, later.' },
        '5XX': { description: 'Not stored. The server sends the events again, later.' },
      },
    },
  },
} as const

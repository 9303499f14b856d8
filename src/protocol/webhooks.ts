/** What the server posts to the urls of `webhook_url`. */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'

/** The events that `webhook_events` may name. */
export const WEBHOOK_EVENT_TYPES = [
  'user_online',
  'user_offline',
  'joined',
  'parted',
  'channel_occupied',
  'channel_vacated',
  'channel_created',
  'channel_collected',
  'message',
  'slow_client',
] as const
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number]

const common = {
  id: z.string().describe('Unique. The same if the event is sent again.'),
  time: z.number().describe('When it happened, in milliseconds since 1970 (UTC).'),
  subject: z.string().describe('What the event is about, such as `channel:lobby` or `user:jane`.'),
  seq: z
    .number()
    .describe('Grows within the subject, by one each time while the server remembers the subject.'),
}

const event = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(type), ...common, ...shape }).meta({ id: nameOf(type) })

/** The name in descriptions of the API: `WebhookUserOnline` for `user_online`. */
const nameOf = (type: string): string =>
  `Webhook${type.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())}`

const channel = z.string()
const user = z.string()

export const WebhookEvent = z.discriminatedUnion('type', [
  event('user_online', { user }).describe('A user got the first connection, on any server.'),
  event('user_offline', { user }).describe('A user lost the last connection, on any server.'),
  event('joined', { channel, user }).describe('The first connection of a user is in the channel.'),
  event('parted', { channel, user }).describe('The last connection of a user left the channel.'),
  event('channel_occupied', { channel }).describe('The channel has its first connection.'),
  event('channel_vacated', { channel }).describe('The channel has no connection any more.'),
  event('channel_created', { channel }),
  event('channel_collected', { channel }).describe(
    'The channel was idle for too long and was removed, with its settings and its history.',
  ),
  event('message', {
    channel: channel.nullable(),
    message: z
      .looseObject({ type: z.enum(['message', 'message:edit', 'message:delete']) })
      .describe('The event as clients get it, without its id.'),
    pm_users: z.array(z.string()).describe('Only these users get it. Empty: everybody.'),
    exclude_users: z.array(z.string()).describe('These users do not get it.'),
  }).describe('A message was posted, edited or deleted, by a backend or a Philote client.'),
  event('slow_client', {
    user,
    conn_id: z.string().nullable().describe('Null for a Philote client.'),
    waiting_bytes: z.number(),
  }).describe('A client was disconnected because it did not read what was queued for it.'),
  event('resync', {
    reason: z.enum(['started', 'restarted', 'dropped']),
    dropped: z.number().describe('Events that were dropped, if the queue was full.'),
  }).describe('Events alone do not lead to the current state. Read it with /info.'),
])
export type WebhookEvent = z.output<typeof WebhookEvent>

/** The body of a request to a webhook. */
export const WebhookRequest = z
  .object({
    installation: z.string().describe('The value of `redis_prefix`.'),
    epoch: z.string().describe('Changes when the server forgets everything.'),
    events: z.array(WebhookEvent),
  })
  .meta({ id: 'WebhookRequest', examples: [EXAMPLES.webhookRequest] })
export type WebhookRequest = z.output<typeof WebhookRequest>

/**
 * The events that clients receive. A frame is a JSON list of events. On a WebSocket each event has its own frame.
 *
 * Every event has an `id`, its position in the stream (see `Cursor`). Events with a `timestamp` have the same value as
 * `date`, the name in the older documentation. Clients never receive the delivery fields (`pm_users`, `exclude_users`,
 * `no_history`). Source of the shapes: recorded, except `id`, `date` and `gap`, which only this server has.
 */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { payload, scalar } from './fields.ts'
import { ChannelNameSchema, UserNameSchema } from './ids.ts'

const id = z
  .string()
  .describe('Position in the stream, `<epoch>-<n>`. Send it as ?cursor= to continue from here.')
const timestamp = z
  .string()
  .describe('ISO 8601 with microseconds, in UTC and without a zone, unless the sender gave a zone.')
const date = z.string().describe('The same as timestamp, under the name in older documentation.')
const uuid = z.guid()
const channel = ChannelNameSchema.nullable().describe('null for a private message.')
const catchup = z
  .boolean()
  .describe('true if the event is delivered late, when a client connects or reconnects.')
const caughtUp = z.literal(true).optional().describe('Present only if the event is delivered late.')
const publicState = z.record(z.string(), scalar)

export const MessageEvent = z
  .looseObject({
    type: z.literal('message'),
    id,
    uuid,
    timestamp,
    date,
    channel,
    user: UserNameSchema,
    message: payload.optional(),
    edited: z.string().nullable().describe('When it was last changed.'),
    catchup,
  })
  .meta({
    id: 'MessageEvent',
    description: 'A message was posted. Additional keys of the message are passed on.',
  })

export const EditEvent = z
  .looseObject({
    type: z.literal('message:edit'),
    id,
    uuid: uuid.describe('The edited message.'),
    timestamp: timestamp.optional(),
    date: date.optional(),
    channel,
    user: UserNameSchema.optional(),
    message: payload.optional(),
    edited: z.string(),
    catchup: caughtUp,
  })
  .meta({
    id: 'EditEvent',
    description: 'A message was edited. Contains the keys of the edit request.',
  })

export const DeleteEvent = z
  .object({
    type: z.literal('message:delete'),
    id,
    uuid: uuid.describe('The deleted message.'),
    channel,
    catchup: caughtUp,
  })
  .meta({ id: 'DeleteEvent', description: 'A message was deleted.' })

export const PresenceEvent = z
  .object({
    type: z.literal('presence'),
    id,
    uuid,
    timestamp,
    date,
    channel: ChannelNameSchema,
    user: UserNameSchema,
    users: z
      .array(z.object({ user: UserNameSchema, state: publicState }))
      .describe(
        'Users in the channel, if broadcast_presence_with_user_lists is on. Otherwise empty.',
      ),
    users_total: z
      .int()
      .min(0)
      .optional()
      .describe(
        'Number of users in the channel. Only with user lists. Larger than the list if presence_list_limit shortened it.',
      ),
    message: z.object({ action: z.enum(['joined', 'parted']) }),
    state: publicState.nullable().describe('Public state of the user who joined. null for parted.'),
    catchup,
  })
  .meta({
    id: 'PresenceEvent',
    description: 'The first connection of a user joined the channel, or the last one parted.',
  })

export const UserStateEvent = z
  .object({
    type: z.literal('user_state_change'),
    id,
    uuid,
    timestamp,
    date,
    channel: ChannelNameSchema,
    user: UserNameSchema,
    message: z.object({
      state: publicState,
      changed: z.array(z.object({ key: z.string(), value: scalar })),
    }),
    catchup,
  })
  .meta({
    id: 'UserStateEvent',
    description: 'The state of a user in the channel changed. Contains public keys only.',
  })

export const GapEvent = z
  .object({
    type: z.literal('gap'),
    id,
    timestamp,
    date,
    channels: z.array(ChannelNameSchema).describe('Channels in which events may be missing.'),
    private: z.boolean().describe('True if private messages may be missing.'),
    message: z
      .object({ action: z.literal('gap') })
      .describe('For clients that expect a message in every event.'),
    catchup: z.literal(true),
  })
  .meta({
    id: 'GapEvent',
    description:
      'The events that the client missed are no longer kept. Sent before all other events to a client that reconnects too late. Reload the data.',
  })

export const Event = z.discriminatedUnion('type', [
  MessageEvent,
  EditEvent,
  DeleteEvent,
  PresenceEvent,
  UserStateEvent,
  GapEvent,
])
export type Event = z.infer<typeof Event>
export type EventType = Event['type']

export const Frame = z.array(Event).meta({
  id: 'Frame',
  description: 'Events. An empty list is a heartbeat.',
  examples: [EXAMPLES.frame],
})

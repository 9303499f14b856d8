/**
 * What clients are told. A frame is a JSON list of these; on a WebSocket each event is a frame of its own.
 *
 * Every event carries `id` (its place in the stream, see `Cursor`) and, where it has a `timestamp`, the same value as
 * `date`, which the older documentation names. How it is delivered (`pm_users`, `exclude_users`, `no_history`) never
 * reaches a client. Source of the shapes: recorded, except `id`, `date` and `gap`, which are this server's own.
 */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import { payload, scalar } from './fields.ts'
import { ChannelNameSchema, UserNameSchema } from './ids.ts'

const id = z
  .string()
  .describe('Place in the stream, `<epoch>-<n>`. Hand it back as ?cursor= to go on from here.')
const timestamp = z
  .string()
  .describe('ISO 8601 with microseconds; UTC without a zone unless the sender gave one.')
const date = z.string().describe('The same as timestamp; the name of older documentation.')
const uuid = z.uuid()
const channel = ChannelNameSchema.nullable().describe('null for a private message.')
const catchup = z
  .boolean()
  .describe('true when the event is told late, to a connection that opened or came back.')
const caughtUp = z.literal(true).optional().describe('Only there when the event is told late.')
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
    description: 'Somebody said something. Further keys of the message are passed on.',
  })

export const EditEvent = z
  .looseObject({
    type: z.literal('message:edit'),
    id,
    uuid: uuid.describe('The message that changed.'),
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
    description: 'A message was changed. Holds the keys that were given for the change.',
  })

export const DeleteEvent = z
  .object({
    type: z.literal('message:delete'),
    id,
    uuid: uuid.describe('The message that is gone.'),
    channel,
    catchup: caughtUp,
  })
  .meta({ id: 'DeleteEvent', description: 'A message was taken away.' })

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
      .describe('Who is there, with broadcast_presence_with_user_lists; else empty.'),
    users_total: z
      .number()
      .optional()
      .describe(
        'How many are there; only with user lists. Larger than the list where presence_list_limit cut it.',
      ),
    message: z.object({ action: z.enum(['joined', 'parted']) }),
    state: publicState.nullable().describe('Public state of the one who joined; null when parted.'),
    catchup,
  })
  .meta({
    id: 'PresenceEvent',
    description: 'A user’s first connection joined, or the last one parted.',
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
    description: 'The state of a user in the channel changed. Public keys only.',
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
      .describe('For clients that read the message of every event.'),
    catchup: z.literal(true),
  })
  .meta({
    id: 'GapEvent',
    description:
      'What was missed is no longer kept. Comes before anything else to a connection that came back too late: reload.',
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

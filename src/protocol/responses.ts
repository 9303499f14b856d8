/** The answers. Source of the shapes: recorded behaviour of Channelstream 0.7.1. */
import { z } from 'zod'
import { Event } from './events.ts'
import { EXAMPLES } from './examples.ts'
import { scalar } from './fields.ts'
import { Hello } from './hello.ts'
import { ChannelNameSchema, ConnIdSchema, UserNameSchema } from './ids.ts'
import { PostedDelete, PostedEdit, PostedMessage } from './posted.ts'
import { ChannelSettings } from './requests.ts'

const state = z.record(z.string(), scalar)
/** A number of things. */
const count = z.int().min(0)

export const HistoryItem = z
  .looseObject({
    type: z.literal('message'),
    id: z.string(),
    uuid: z.guid(),
    timestamp: z.string(),
    date: z.string(),
    user: UserNameSchema,
    channel: ChannelNameSchema,
    message: z.unknown().optional(),
    edited: z.string().nullable(),
    pm_users: z.array(UserNameSchema),
    exclude_users: z.array(UserNameSchema),
    no_history: z.boolean(),
    catchup: z.literal(false),
  })
  .meta({
    id: 'HistoryItem',
    description: 'A stored message. The oldest is first.',
    examples: [EXAMPLES.historyItem],
  })
export type HistoryItem = z.output<typeof HistoryItem>

export const ChannelInfo = z
  .object({
    uuid: z.guid(),
    name: z.string(),
    long_name: z.null(),
    settings: ChannelSettings,
    history: z.array(HistoryItem),
    last_active: z.string().describe('ISO 8601, UTC. Changes with every event in the channel.'),
    total_connections: count,
    total_users: count.describe(
      'The number of users. 0 if neither users nor counts were requested, as in the Python server.',
    ),
    users: z.array(UserNameSchema).describe('Sorted by code point.'),
  })
  .meta({ id: 'ChannelInfo', examples: [EXAMPLES.channelInfo] })
export type ChannelInfo = z.output<typeof ChannelInfo>

export const ChannelsInfo = z
  .object({
    channels: z.record(z.string(), ChannelInfo),
    users: z
      .array(z.object({ user: UserNameSchema, state }))
      .describe('Each user of these channels, once.'),
  })
  .meta({ id: 'ChannelsInfo', examples: [EXAMPLES.channelsInfo] })
export type ChannelsInfo = z.output<typeof ChannelsInfo>

export const HistoryResponse = z
  .object({
    channel: ChannelNameSchema,
    history: z
      .array(HistoryItem)
      .describe('Oldest first; with reverse, newest first. Fewer than limit if they are large.'),
    more: z
      .boolean()
      .describe(
        'There are more messages in this direction: newer ones, or with before older ones, also with reverse alone.',
      ),
  })
  .meta({ id: 'HistoryResponse', examples: [EXAMPLES.historyPage] })
export type HistoryResponse = z.output<typeof HistoryResponse>

export const ChannelCounts = z.object({ total_connections: count, total_users: count })
export type ChannelCounts = z.output<typeof ChannelCounts>

export const OnlineUser = z.object({
  user: UserNameSchema,
  total_connections: count,
  channels: z.array(ChannelNameSchema),
})
export type OnlineUser = z.output<typeof OnlineUser>

export const CountsResponse = z
  .object({
    channels: z
      .record(z.string(), ChannelCounts)
      .optional()
      .describe('If counts were requested: the channels, without unknown ones.'),
    users: z
      .array(OnlineUser)
      .optional()
      .describe(
        'If users were requested: those with at least one connection, and the channels of all their connections, sorted by code point.',
      ),
  })
  .meta({ id: 'CountsResponse', examples: [EXAMPLES.counted] })
export type CountsResponse = z.output<typeof CountsResponse>

export const ConnectResponse = z
  .object({
    conn_id: ConnIdSchema,
    username: UserNameSchema,
    state: state.describe(
      'The whole state of the user, including private keys. Do not pass it to a browser unchecked.',
    ),
    public_state: state,
    channels: z
      .array(ChannelNameSchema)
      .describe('The channels of the request, sorted by code point.'),
    channels_info: ChannelsInfo,
  })
  .meta({ id: 'ConnectResponse', examples: [EXAMPLES.connected] })

const membership = {
  channels: z
    .array(ChannelNameSchema)
    .describe('All channels of the connection, sorted by code point.'),
  channels_info: ChannelsInfo,
}
const connIds = z.array(ConnIdSchema).describe('The connections that this request has reached.')
const byUser = {
  conn_ids: connIds
    .optional()
    .describe('Only if the request has a username: the connections that it has reached.'),
}

export const SubscribeResponse = z
  .object({
    ...membership,
    ...byUser,
    subscribed_to: z.array(ChannelNameSchema).describe('The channels that this request joined.'),
  })
  .meta({ id: 'SubscribeResponse', examples: [EXAMPLES.subscribed] })
export const UnsubscribeResponse = z
  .object({
    ...membership,
    ...byUser,
    unsubscribed_from: z.array(ChannelNameSchema).describe('The channels that this request left.'),
  })
  .meta({ id: 'UnsubscribeResponse', examples: [EXAMPLES.unsubscribed] })

export const UserStateResponse = z
  .object({
    user_state: state.describe('The whole state.'),
    changed_state: z.array(z.object({ key: z.string(), value: scalar })),
    public_keys: z.array(z.string()),
  })
  .meta({ id: 'UserStateResponse', examples: [EXAMPLES.userStateSet] })

export const MessagesResponse = z.array(PostedMessage).meta({
  description:
    'The messages, with the fields that the server added (uuid, timestamp, edited). Messages without a target are omitted.',
  examples: [[EXAMPLES.posted]],
})

export const Recipients = z
  .object({
    connections: count.describe(
      'Connections that the message was for. Those whose client is away count too. One that is in several of the channels counts in each.',
    ),
    users: count.describe(
      'The users of these connections. One in several of the channels counts in each.',
    ),
    unknown_channels: z
      .array(ChannelNameSchema)
      .describe('Channels of the message that do not exist, so that nobody got it there.'),
  })
  .meta({ id: 'Recipients', examples: [EXAMPLES.recipients] })
export type Recipients = z.output<typeof Recipients>

export const CountedMessagesResponse = z
  .array(
    PostedMessage.extend({
      recipients: Recipients.nullable().describe(
        'Only with recipients=1. null if an earlier attempt of this request published the message, and its answer was lost.',
      ),
    }).meta({ id: 'CountedMessage' }),
  )
  .meta({ examples: [[{ ...EXAMPLES.posted, recipients: EXAMPLES.recipients }]] })

export const PostedResponse = MessagesResponse.or(CountedMessagesResponse).meta({
  description:
    'The messages, with the fields that the server added (uuid, timestamp, edited; with recipients=1 also recipients). Messages without a target are omitted.',
  examples: [[EXAMPLES.posted]],
})

export const EditsResponse = z.array(PostedEdit).meta({
  description: 'The edits, with the fields that the server added.',
  examples: [[EXAMPLES.edited]],
})
export const DeletesResponse = z.array(PostedDelete).meta({
  description: 'The deletes, with the fields that the server added.',
  examples: [[EXAMPLES.deleted]],
})
export const DisconnectResponse = z
  .boolean()
  .meta({ description: 'False if the server does not know the connection.', examples: [true] })
export const DisconnectUserResponse = z
  .object({ username: UserNameSchema, conn_ids: connIds })
  .meta({ id: 'DisconnectUserResponse', examples: [EXAMPLES.disconnectedUser] })

export const AdminResponse = z
  .object({
    remembered_user_count: count.describe('Users known, connected or not.'),
    unique_user_count: count.describe('Users with a connection.'),
    total_connections: count,
    total_channels: count,
    total_messages: count.describe(
      'Deliveries: for each message, the number of its target connections.',
    ),
    total_unique_messages: count.describe('Messages posted.'),
    channels: z.record(z.string(), ChannelInfo),
    users: z
      .array(
        z.object({
          user: UserNameSchema,
          state: state.describe('Public keys only.'),
          uuid: z.guid(),
          connections: z.array(ConnIdSchema),
        }),
      )
      .describe('Connected users. Their state has public keys only.'),
    uptime: z.string().describe('[D day(s), ]H:MM:SS'),
    version: z.string(),
  })
  .meta({ id: 'AdminResponse', examples: [EXAMPLES.admin] })

export const HealthResponse = z
  .object({ status: z.literal('ok') })
  .meta({ description: 'The server works.', examples: [{ status: 'ok' }] })

export const ListenResponse = z.array(z.union([Hello, Event])).meta({
  id: 'ListenResponse',
  description: 'Events. With hello=1 the first element is a Hello.',
  examples: [EXAMPLES.frame],
})

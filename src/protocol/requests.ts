/**
 * The requests. Each field is declared once: types, checks, OpenAPI and documentation are generated from it.
 * Source of every default and rule: recorded behaviour of Channelstream 0.7.1, unless a field says otherwise.
 */
import { z } from 'zod'
import { ChannelConfig } from './channel-settings.ts'
import { MAX_REASON_BYTES } from './close-codes.ts'
import { EXAMPLES } from './examples.ts'
import {
  COMPLAINT,
  MAX_COMPLAINTS,
  datetime,
  listOf,
  looseBoolean,
  mapOf,
  object,
  payload,
  scalarMap,
  text,
  typeComplaint,
  uuid,
  isUnicode,
} from './fields.ts'
import { HistoryChoice } from './history.ts'
import { ChannelNameSchema, ConnIdSchema, UserNameSchema } from './ids.ts'
import { isJsonObject } from './json-object.ts'
import { limitedBy } from './limited-by.ts'

export { ChannelConfig, ChannelSettings } from './channel-settings.ts'

const atMostChannels = limitedBy('max_channels_per_request')
const ChannelConfigs = mapOf(ChannelConfig, isJsonObject).meta(atMostChannels)

const channelNames = listOf(ChannelNameSchema).meta(atMostChannels)
const userNames = listOf(UserNameSchema).meta(limitedBy('max_users_per_message'))
const publicKeys = listOf(text(1, 256))
const state = scalarMap

export const InfoOptions = object({
  include_history: HistoryChoice.default(true).describe(
    'Include the stored messages of each channel: all, none, or the newest ones up to a limit.',
  ),
  include_users: looseBoolean
    .default(true)
    .describe(
      'Include the list of users. If off, total_users is 0 too, as in the Python server, unless counts is on. total_connections is still correct.',
    ),
  channels: channelNames
    .optional()
    .describe(
      'Describe only these channels. Unknown channels are ignored. Default: all. Only /info uses this.',
    ),
  exclude_channels: channelNames
    .default([])
    .describe('Omit these channels. Takes precedence over channels.'),
  include_connections: looseBoolean
    .default(false)
    .describe('Accepted for compatibility; changes nothing.'),
  return_public_state: looseBoolean
    .default(false)
    .describe('Include only the keys of each user’s state that are named in state_public_keys.'),
  counts: looseBoolean
    .default(false)
    .describe('total_users is correct even if include_users is off.'),
}).meta({ id: 'InfoOptions', examples: [EXAMPLES.infoOptions] })
export type InfoOptions = z.output<typeof InfoOptions>

/** What an answer describes if the request does not say: everything. */
export const INFO_DEFAULTS: InfoOptions = InfoOptions.parse({})

export const ConnectRequest = object({
  username: UserNameSchema.describe('The user of the connection. Created if unknown.'),
  conn_id: ConnIdSchema.optional().describe(
    'The id of the connection. Random if omitted. If a connection with this id exists already, it is kept and joins the channels.',
  ),
  channels: channelNames.default([]).describe('Channels to join. Created if unknown.'),
  state_public_keys: publicKeys
    .default([])
    .describe('Keys of the state that others may see. If omitted, the list is cleared.'),
  fresh_user_state: state
    .default({})
    .describe('State for a user that the server does not know yet.'),
  user_state: state
    .default({})
    .describe('State to set. Overrides fresh_user_state. Changes are not announced.'),
  channel_configs: ChannelConfigs.default({}).describe(
    'Settings for channels that this request creates.',
  ),
  info: InfoOptions.default(INFO_DEFAULTS).describe('What channels_info contains.'),
}).meta({ id: 'ConnectRequest', examples: [EXAMPLES.connect] })
export type ConnectRequest = z.output<typeof ConnectRequest>

export const SubscribeRequest = object({
  conn_id: ConnIdSchema.optional().describe('The connection. May be in the query instead.'),
  username: UserNameSchema.optional().describe(
    'Instead of conn_id: all connections that the user has now, on any server. There may be none.',
  ),
  channels: listOf(ChannelNameSchema, 1)
    .meta(atMostChannels)
    .describe('Channels to join. Created if unknown.'),
  channel_configs: ChannelConfigs.default({}).describe(
    'Settings for channels that this request creates.',
  ),
  info: InfoOptions.default(INFO_DEFAULTS).describe(
    'What channels_info contains. It covers all channels of the connection.',
  ),
}).meta({ id: 'SubscribeRequest', examples: [EXAMPLES.subscribe] })
export type SubscribeRequest = z.output<typeof SubscribeRequest>

export const UnsubscribeRequest = SubscribeRequest.extend({
  channels: listOf(ChannelNameSchema, 1)
    .meta(atMostChannels)
    .describe('Channels to leave. Unknown channels are ignored.'),
  channel_configs: ChannelConfigs.default({}).describe(
    'Accepted for compatibility; changes nothing.',
  ),
}).meta({ id: 'UnsubscribeRequest', examples: [EXAMPLES.unsubscribe] })
export type UnsubscribeRequest = z.output<typeof UnsubscribeRequest>

export const UserStateRequest = object({
  user: UserNameSchema.describe('A user that the server knows, connected or not.'),
  user_state: state.default({}).describe('Keys to set. Other keys do not change.'),
  state_public_keys: publicKeys
    .nullable()
    .default(null)
    .describe('Replaces the list of keys that others may see. null or omitted: no change.'),
}).meta({ id: 'UserStateRequest', examples: [EXAMPLES.userState] })
export type UserStateRequest = z.output<typeof UserStateRequest>

/** A map of channel name to settings. Names are not checked here, as recorded (config-any-name). */
export const ChannelConfigRequest = z
  .record(z.string(), ChannelConfig, { error: COMPLAINT.type })
  .superRefine((configs, context) => {
    const faulty = Object.keys(configs).filter((name) => !isUnicode(name))
    for (const key of faulty.slice(0, MAX_COMPLAINTS + 1))
      context.addIssue({ code: 'custom', path: [key], message: COMPLAINT.unicode })
  })
  .meta({
    id: 'ChannelConfigRequest',
    ...atMostChannels,
    description: 'Settings by channel name. Unknown channels are created.',
    examples: [EXAMPLES.channelConfig],
  })
export type ChannelConfigRequest = z.output<typeof ChannelConfigRequest>

const delivery = {
  channel: ChannelNameSchema.nullable()
    .default(null)
    .describe('The channel. null for a private message.'),
  channels: listOf(ChannelNameSchema, 1)
    .meta(limitedBy('max_channels_per_message'))
    .optional()
    .describe('Instead of channel: several channels. A channel that is named twice counts once.'),
  pm_users: userNames
    .default([])
    .describe('Deliver only to these users. With a channel: only to those who are in it.'),
  exclude_users: userNames
    .default([])
    .describe('Do not deliver to these users. Takes precedence over pm_users.'),
  no_history: looseBoolean
    .default(false)
    .describe('Do not store the message in the history. It is still part of the catch-up.'),
}

const deliveryOfChange = {
  ...delivery,
  pm_users: delivery.pm_users.describe(
    'Deliver only to these users. Empty: to the recipients of the message, if the server still knows them.',
  ),
  exclude_users: delivery.exclude_users.describe(
    'Do not deliver to these users. Takes precedence over pm_users. Without pm_users: in addition to the users that the message excluded.',
  ),
  no_history: delivery.no_history.describe('Accepted for compatibility; changes nothing.'),
}

const looseObject = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.looseObject(shape, { error: typeComplaint(COMPLAINT.type) })

export const MessageRequest = looseObject({
  ...delivery,
  uuid: uuid
    .optional()
    .describe('The id of the message, for edits and deletes. Random if omitted.'),
  timestamp: datetime
    .optional()
    .describe(
      'Time of the message, for display only: the order is that of the ids. Now (UTC) if omitted.',
    ),
  user: UserNameSchema.describe('The author. Need not be connected.'),
  message: payload.optional().describe('The payload, passed on as it is.'),
}).meta({
  id: 'Message',
  description: 'A message. Additional keys are passed on.',
  examples: [EXAMPLES.message],
})
export type MessageRequest = z.output<typeof MessageRequest>

export const EditRequest = looseObject({
  ...deliveryOfChange,
  uuid: uuid.describe('The message to edit. If several have this uuid, the first one.'),
  timestamp: datetime.optional().describe('New timestamp.'),
  user: UserNameSchema.optional().describe('New author.'),
  message: payload.optional().describe('New payload.'),
  edited: datetime.optional().describe('Time of the edit. Now (UTC) if omitted.'),
}).meta({
  id: 'MessageEdit',
  description: 'An edit of a message. Additional keys are in the event, but not in the history.',
  examples: [EXAMPLES.edit],
})
export type EditRequest = z.output<typeof EditRequest>

export const DeleteRequest = object({
  ...deliveryOfChange,
  uuid: uuid.describe('The message to delete. If several have this uuid, the first one.'),
}).meta({ id: 'MessageDelete', examples: [EXAMPLES.delete] })
export type DeleteRequest = z.output<typeof DeleteRequest>

const bodyList = <Element extends z.ZodType>(element: Element) =>
  z.array(element, { error: COMPLAINT.type }).meta(limitedBy('max_messages_per_request'))
export const MessagesRequest = bodyList(MessageRequest).meta({ examples: [[EXAMPLES.message]] })
export const EditsRequest = bodyList(EditRequest).meta({ examples: [[EXAMPLES.edit]] })
export const DeletesRequest = bodyList(DeleteRequest).meta({ examples: [[EXAMPLES.delete]] })

export const DisconnectRequest = z
  .looseObject({ conn_id: ConnIdSchema }, { error: typeComplaint(COMPLAINT.type) })
  // Of a pipe zod does not say so.
  .meta({ id: 'DisconnectRequest', required: ['conn_id'], examples: [EXAMPLES.disconnect] })

/** All connections of a user. Signed, unlike `DisconnectRequest`. */
export const DisconnectUserRequest = object({
  username: UserNameSchema.describe(
    'All connections that the user has now, on any server, are ended.',
  ),
  reason: text(1, MAX_REASON_BYTES)
    .refine((reason) => new TextEncoder().encode(reason).length <= MAX_REASON_BYTES, {
      error: `Longer than ${MAX_REASON_BYTES} bytes of UTF-8.`,
    })
    .optional()
    .describe('What clients get as the reason of the close. Polls get none.'),
}).meta({ id: 'DisconnectUserRequest', examples: [EXAMPLES.disconnectUser] })

export type DisconnectUserRequest = z.output<typeof DisconnectUserRequest>

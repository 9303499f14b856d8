/**
 * What callers may send. The only declaration of each field: types, checks, OpenAPI and documentation are made from it.
 * Source of every default and rule: recorded behaviour of Channelstream 0.7.1, unless a field says otherwise.
 */
import { z } from 'zod'
import { EXAMPLES } from './examples.ts'
import {
  COMPLAINT,
  MAX_COMPLAINTS,
  datetime,
  isJsonObject,
  listOf,
  looseBoolean,
  looseInteger,
  mapOf,
  payload,
  reading,
  scalarMap,
  text,
  typeComplaint,
  uuid,
  isUnicode,
} from './fields.ts'
import { ChannelNameSchema, ConnIdSchema, UserNameSchema } from './ids.ts'

const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: typeComplaint(COMPLAINT.type) })

export const ChannelSettings = object({
  notify_presence: looseBoolean
    .default(false)
    .describe('Tell members when a user joins (first connection) or parts (last connection).'),
  store_history: looseBoolean
    .default(false)
    .describe(
      'Keep messages for people who arrive later. Off keeps what is stored, but adds nothing.',
    ),
  history_size: looseInteger(0)
    .default(10)
    .describe(
      'Messages kept when store_history is on. 0 keeps none; the server caps it with max_history_size.',
    ),
  broadcast_presence_with_user_lists: looseBoolean
    .default(false)
    .describe('Presence events list the users of the channel with their public state.'),
  notify_state: looseBoolean
    .default(false)
    .describe('Tell members when the state of a user in the channel changes.'),
  store_frames: looseBoolean
    .default(true)
    .describe(
      'Keep the last events for connections that return. Off: what they missed is told as a gap.',
    ),
}).meta({
  id: 'ChannelSettings',
  description: 'Settings of a channel. What is left out gets its default.',
  examples: [EXAMPLES.channelSettings],
})
export type ChannelSettings = z.output<typeof ChannelSettings>

const ChannelConfigs = mapOf(ChannelSettings, isJsonObject)

const channelNames = listOf(ChannelNameSchema)
const publicKeys = listOf(text(1, 256))
const state = scalarMap

export const InfoOptions = object({
  include_history: looseBoolean.default(true).describe('Show the stored messages of each channel.'),
  include_users: looseBoolean
    .default(true)
    .describe(
      'List the users. Off also makes total_users 0, as in the Python server; total_connections stays right.',
    ),
  channels: channelNames
    .optional()
    .describe(
      'Only these channels; unknown ones are passed over. Left out: all. Means nothing in /connect and /subscribe.',
    ),
  exclude_channels: channelNames.default([]).describe('Leave these out. Wins over channels.'),
  include_connections: looseBoolean
    .default(false)
    .describe('Accepted for compatibility; changes nothing.'),
  return_public_state: looseBoolean
    .default(false)
    .describe('Show only the part of each user’s state that is named in state_public_keys.'),
}).meta({ id: 'InfoOptions', examples: [EXAMPLES.infoOptions] })
export type InfoOptions = z.output<typeof InfoOptions>

const infoDefaults: InfoOptions = InfoOptions.parse({})

export const ConnectRequest = object({
  username: UserNameSchema.describe('Whose connection this is. The user is made if unknown.'),
  conn_id: ConnIdSchema.optional().describe(
    'The id to use; a random one if left out. An id that is connected already keeps its one connection and joins the channels.',
  ),
  channels: channelNames.default([]).describe('Channels to join; made if unknown.'),
  state_public_keys: publicKeys
    .default([])
    .describe('State keys that others may see. Left out, it resets the list to none.'),
  fresh_user_state: state
    .default({})
    .describe('State for a user that the server does not know yet.'),
  user_state: state
    .default({})
    .describe('State to set; laid over fresh_user_state. Changes are not announced.'),
  channel_configs: ChannelConfigs.default({}).describe(
    'Settings for channels that this request makes.',
  ),
  info: InfoOptions.default(infoDefaults).describe(
    'What to tell about the channels in channels_info.',
  ),
}).meta({ id: 'ConnectRequest', examples: [EXAMPLES.connect] })
export type ConnectRequest = z.output<typeof ConnectRequest>

export const SubscribeRequest = object({
  conn_id: ConnIdSchema.describe('The connection; may stand in the query instead.'),
  channels: listOf(ChannelNameSchema, 1).describe('Channels to join; made if unknown.'),
  channel_configs: ChannelConfigs.default({}).describe(
    'Settings for channels that this request makes.',
  ),
  info: InfoOptions.default(infoDefaults).describe(
    'What to tell about all channels of the connection.',
  ),
}).meta({ id: 'SubscribeRequest', examples: [EXAMPLES.subscribe] })
export type SubscribeRequest = z.output<typeof SubscribeRequest>

export const UnsubscribeRequest = SubscribeRequest.extend({
  channels: listOf(ChannelNameSchema, 1).describe(
    'Channels to leave; unknown ones are passed over.',
  ),
  channel_configs: ChannelConfigs.default({}).describe(
    'Accepted for compatibility; changes nothing.',
  ),
}).meta({ id: 'UnsubscribeRequest', examples: [EXAMPLES.unsubscribe] })
export type UnsubscribeRequest = z.output<typeof UnsubscribeRequest>

export const UserStateRequest = object({
  user: UserNameSchema.describe('A user that has connected before.'),
  user_state: state.default({}).describe('Keys to set. Others stay as they are.'),
  state_public_keys: publicKeys
    .nullable()
    .default(null)
    .describe('Replaces the list of keys that others may see; null or left out keeps it.'),
}).meta({ id: 'UserStateRequest', examples: [EXAMPLES.userState] })
export type UserStateRequest = z.output<typeof UserStateRequest>

/** A map of channel name to settings. Names are not checked here, as recorded (config-any-name). */
export const ChannelConfigRequest = z
  .record(z.string(), ChannelSettings, { error: COMPLAINT.type })
  .superRefine((configs, context) => {
    const faulty = Object.keys(configs).filter((name) => !isUnicode(name))
    for (const key of faulty.slice(0, MAX_COMPLAINTS + 1))
      context.addIssue({ code: 'custom', path: [key], message: COMPLAINT.unicode })
  })
  .meta({
    id: 'ChannelConfigRequest',
    description: 'Settings by channel name. Unknown channels are made.',
    examples: [EXAMPLES.channelConfig],
  })
export type ChannelConfigRequest = z.output<typeof ChannelConfigRequest>

/**
 * `{"info": {…}}`, or the older documentation's `{"channels": […]}` (an empty list there means every channel).
 */
export const InfoRequest = reading(
  fromOlderInfoForm,
  object({ info: InfoOptions.describe('What to tell, about which channels.') }).meta({
    id: 'InfoRequest',
  }),
).meta({ examples: [EXAMPLES.info] })
export type InfoRequest = z.output<typeof InfoRequest>

function fromOlderInfoForm(body: unknown): unknown {
  if (!isJsonObject(body) || !Object.hasOwn(body, 'channels')) return body
  const { channels, info = {} } = body
  const others = keysBeside(body, ['channels', 'info'])
  if (!isJsonObject(info)) return { ...others, info }
  const wanted = Array.isArray(channels) && channels.length === 0 ? {} : { channels }
  const known = Object.keys(InfoOptions.shape).filter((key) => Object.hasOwn(info, key))
  const given = Object.fromEntries(known.map((key) => [key, info[key]]))
  return { ...others, info: { ...wanted, ...given, ...keysBeside(info, known) } }
}

/** What an object has beside what is known, which makes it faulty: as much as is told of it. */
function keysBeside(object: Readonly<Record<string, unknown>>, known: readonly string[]): object {
  const others = Object.keys(object).filter((key) => !known.includes(key))
  return Object.fromEntries(others.slice(0, MAX_COMPLAINTS + 1).map((key) => [key, object[key]]))
}

const delivery = {
  channel: ChannelNameSchema.nullable()
    .default(null)
    .describe('Where to; null for a private message.'),
  pm_users: listOf(UserNameSchema)
    .default([])
    .describe('Only these users get it. With a channel: those of them who are in it.'),
  exclude_users: listOf(UserNameSchema)
    .default([])
    .describe('These users do not get it. Wins over pm_users.'),
  no_history: looseBoolean
    .default(false)
    .describe('Keep the message out of the history (not out of the catch-up).'),
}

const deliveryOfChange = {
  ...delivery,
  pm_users: delivery.pm_users.describe(
    'Only these users get it. None: those whom the message was for, if the server still knows.',
  ),
  exclude_users: delivery.exclude_users.describe(
    'These users do not get it. Wins over pm_users. Without pm_users: besides those whom the message excluded.',
  ),
}

const looseObject = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.looseObject(shape, { error: typeComplaint(COMPLAINT.type) })

export const MessageRequest = looseObject({
  ...delivery,
  uuid: uuid
    .optional()
    .describe('The message’s own id, for edits and deletes; a random one if left out.'),
  timestamp: datetime
    .optional()
    .describe('When it was said; now (UTC) if left out. For people: order comes from id.'),
  user: UserNameSchema.describe('Who says it. Need not be connected.'),
  message: payload.optional().describe('The payload, passed on as it is.'),
}).meta({
  id: 'Message',
  description: 'A message. Further keys are passed on.',
  examples: [EXAMPLES.message],
})
export type MessageRequest = z.output<typeof MessageRequest>

export const EditRequest = looseObject({
  ...deliveryOfChange,
  uuid: uuid.describe('The message to change. Of several with one uuid the first is changed.'),
  timestamp: datetime.optional().describe('New timestamp.'),
  user: UserNameSchema.optional().describe('New author.'),
  message: payload.optional().describe('New payload.'),
  edited: datetime.optional().describe('When it was changed; now (UTC) if left out.'),
}).meta({
  id: 'MessageEdit',
  description: 'A change to a message. Further keys reach the event, not the history.',
  examples: [EXAMPLES.edit],
})
export type EditRequest = z.output<typeof EditRequest>

export const DeleteRequest = object({
  ...deliveryOfChange,
  uuid: uuid.describe('The message to take away. Of several with one uuid the first goes.'),
}).meta({ id: 'MessageDelete', examples: [EXAMPLES.delete] })
export type DeleteRequest = z.output<typeof DeleteRequest>

const bodyList = <Element extends z.ZodType>(element: Element) =>
  z.array(element, { error: COMPLAINT.type })
export const MessagesRequest = bodyList(MessageRequest).meta({ examples: [[EXAMPLES.message]] })
export const EditsRequest = bodyList(EditRequest).meta({ examples: [[EXAMPLES.edit]] })
export const DeletesRequest = bodyList(DeleteRequest).meta({ examples: [[EXAMPLES.delete]] })

export const DisconnectRequest = z
  .looseObject({ conn_id: ConnIdSchema }, { error: typeComplaint(COMPLAINT.type) })
  .meta({ id: 'DisconnectRequest', examples: [EXAMPLES.disconnect] })

/** A parameter of a query, for the documentation: each transport reads and checks its own. */
const parameter = (description: string, example: string) =>
  z
    .unknown()
    .optional()
    .meta({ type: 'string', description, examples: [example] })

const CONN_ID_PARAMETER = parameter('The connection: a UUID in any spelling.', EXAMPLES.connId)
const CURSOR_PARAMETER = parameter(
  'The id of the last event that the client has; what came after it is told first. Left out: from where the server left off.',
  EXAMPLES.cursor,
)
export const ConnIdQuery = z.looseObject({ conn_id: CONN_ID_PARAMETER })
export const WebSocketQuery = z.looseObject({
  conn_id: CONN_ID_PARAMETER,
  cursor: CURSOR_PARAMETER,
})
export const ListenQuery = WebSocketQuery.extend({
  callback: parameter('Name of a JavaScript function, for JSONP.', EXAMPLES.callback),
})

/** The shapes of the answers. A test compares them with the server's schemas. */
import {
  anything,
  bool,
  list,
  literal,
  map,
  nullable,
  number,
  object,
  optional,
  payload,
  scalar,
  text,
  withDefault,
} from './shape.ts'
import type { Shape } from './shape.ts'
import type * as Types from './types.ts'

const texts = list(text)
const state = map(scalar)

const channelSettings = object<Types.ChannelSettings>({
  notify_presence: withDefault(bool, () => false),
  store_history: withDefault(bool, () => false),
  history_size: withDefault(number, () => 10),
  broadcast_presence_with_user_lists: withDefault(bool, () => false),
  notify_state: withDefault(bool, () => false),
  store_frames: withDefault(bool, () => true),
  history_ttl: withDefault(number, () => 0),
})

const historyItem = object<Types.HistoryItem>({
  type: literal('message'),
  id: text,
  uuid: text,
  timestamp: text,
  date: text,
  user: text,
  channel: text,
  message: optional(anything),
  edited: nullable(text),
  pm_users: texts,
  exclude_users: texts,
  no_history: bool,
  catchup: literal(false),
})

const channelInfo = object<Types.ChannelInfo>({
  uuid: text,
  name: text,
  long_name: literal(null),
  settings: channelSettings,
  history: list(historyItem),
  last_active: text,
  total_connections: number,
  total_users: number,
  users: texts,
})

const channelsInfo = object<Types.ChannelsInfo>({
  channels: map(channelInfo),
  users: list(object<Types.ChannelsInfo['users'][number]>({ user: text, state })),
})

const counts = object<Types.CountsResponse>({
  channels: optional(
    map(object<Types.ChannelCounts>({ total_connections: number, total_users: number })),
  ),
  users: optional(
    list(object<Types.OnlineUser>({ user: text, total_connections: number, channels: texts })),
  ),
})

const connect = object<Types.ConnectResponse>({
  conn_id: text,
  username: text,
  state,
  public_state: state,
  channels: texts,
  channels_info: channelsInfo,
})

const membership = { channels: texts, channels_info: channelsInfo, conn_ids: optional(texts) }
const subscribe = object<Types.SubscribeResponse>({ ...membership, subscribed_to: texts })
const unsubscribe = object<Types.UnsubscribeResponse>({ ...membership, unsubscribed_from: texts })

const delivery = {
  channel: nullable(text),
  channels: optional(texts),
  pm_users: texts,
  exclude_users: texts,
  no_history: bool,
}

const messageFields = {
  ...delivery,
  uuid: text,
  timestamp: text,
  user: text,
  message: optional(payload),
  edited: literal(null),
}
const message = object<Types.MessageResponse>(messageFields)

const countedMessage = object<Types.CountedMessageResponse>({
  ...messageFields,
  recipients: nullable(
    object<Types.Recipients>({ connections: number, users: number, unknown_channels: texts }),
  ),
})

const edit = object<Types.EditResponse>({
  ...delivery,
  uuid: text,
  timestamp: optional(text),
  user: optional(text),
  message: optional(payload),
  edited: text,
})

const userState = object<Types.UserStateResponse>({
  user_state: state,
  changed_state: list(
    object<Types.UserStateResponse['changed_state'][number]>({ key: text, value: scalar }),
  ),
  public_keys: texts,
})

const admin = object<Types.AdminResponse>({
  remembered_user_count: number,
  unique_user_count: number,
  total_connections: number,
  total_channels: number,
  total_messages: number,
  total_unique_messages: number,
  channels: map(channelInfo),
  users: list(
    object<Types.AdminResponse['users'][number]>({
      user: text,
      state,
      uuid: text,
      connections: texts,
    }),
  ),
  uptime: text,
  version: text,
})

const messages: Shape<Types.MessageResponse[]> = list(message)
const countedMessages: Shape<Types.CountedMessageResponse[]> = list(countedMessage)
const edits: Shape<Types.EditResponse[]> = list(edit)
const deletes: Shape<Types.DeleteResponse[]> = list(
  object<Types.DeleteResponse>({ ...delivery, uuid: text }),
)
const history = object<Types.HistoryResponse>({
  channel: text,
  history: list(historyItem),
  more: bool,
})
const health = object<Types.HealthResponse>({ status: literal('ok') })

export const ANSWERS = {
  connect,
  subscribe,
  unsubscribe,
  disconnect: bool,
  disconnectUser: object<Types.DisconnectUserResponse>({ username: text, conn_ids: texts }),
  messages,
  countedMessages,
  edits,
  deletes,
  userState,
  channelsInfo,
  history,
  counts,
  admin,
  health,
}

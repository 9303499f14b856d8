/**
 * Examples of requests, answers and errors, for the OpenAPI document and its explorer. They work one after the other,
 * like those in `docs/protocol.md`: each uses what the previous ones have created. A test checks each against its
 * schema.
 */
const CONN_ID = '3b8f2a6e-5d0c-4f7a-9a44-0f3f3c1f7d10'
const UUID = '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11'
const TIMESTAMP = '2026-11-21T09:30:00.112811'
const EDITED = '2026-11-21T09:31:00.480023'
const SETTINGS = {
  notify_presence: true,
  store_history: true,
  history_size: 10,
  broadcast_presence_with_user_lists: false,
  notify_state: true,
  store_frames: true,
  history_ttl: 0,
}
const delivery = { pm_users: [], exclude_users: [], no_history: false }
const said = { channel: 'lobby', uuid: UUID, user: 'bob', message: { text: 'hello' } }

const historyItem = {
  ...said,
  ...delivery,
  type: 'message',
  id: '776be6de04bd-41',
  timestamp: TIMESTAMP,
  date: TIMESTAMP,
  edited: null,
  catchup: false,
}
const messageEvent = {
  ...said,
  type: 'message',
  id: '776be6de04bd-41',
  timestamp: TIMESTAMP,
  date: TIMESTAMP,
  edited: null,
  catchup: false,
}
const channelInfo = {
  uuid: '06bf9b3f-8160-4601-9bf5-a89df748c696',
  name: 'lobby',
  long_name: null,
  settings: SETTINGS,
  history: [historyItem],
  last_active: TIMESTAMP,
  total_connections: 1,
  total_users: 1,
  users: ['ann'],
}
const channelsInfo = {
  channels: { lobby: channelInfo },
  users: [{ user: 'ann', state: { color: 'red' } }],
}

const reading = {
  users: 126,
  connected_users: 65,
  connections: 80,
  open_connections: 79,
  guests: 1,
  channels: 236,
  messages_per_second: 19,
  events_per_second: 1017,
  bytes_per_second: 278_733,
  held_bytes: 0,
  memory_bytes: 90_177_536,
  event_loop_delay_ms: 0.7,
}

export const EXAMPLES = {
  connId: CONN_ID,
  cursor: '776be6de04bd-41',
  callback: 'app.got',
  hello: '1',
  channelSettings: SETTINGS,
  infoOptions: { channels: ['lobby'], return_public_state: true },
  connect: {
    username: 'ann',
    conn_id: CONN_ID,
    channels: ['lobby'],
    user_state: { color: 'red', email: 'ann@example.com' },
    state_public_keys: ['color'],
    channel_configs: {
      lobby: { notify_presence: true, notify_state: true, store_history: true },
    },
    info: { return_public_state: true },
  },
  connected: {
    conn_id: CONN_ID,
    username: 'ann',
    state: { color: 'red', email: 'ann@example.com' },
    public_state: { color: 'red' },
    channels: ['lobby'],
    channels_info: channelsInfo,
  },
  subscribe: { conn_id: CONN_ID, channels: ['news'], info: { exclude_channels: ['lobby'] } },
  subscribed: {
    channels: ['lobby', 'news'],
    channels_info: { channels: {}, users: [] },
    subscribed_to: ['news'],
  },
  unsubscribe: { conn_id: CONN_ID, channels: ['news'] },
  unsubscribed: {
    channels: ['lobby'],
    channels_info: { channels: {}, users: [] },
    unsubscribed_from: ['news'],
  },
  userState: { user: 'ann', user_state: { color: 'blue' } },
  userStateSet: {
    user_state: { color: 'blue', email: 'ann@example.com' },
    changed_state: [{ key: 'color', value: 'blue' }],
    public_keys: ['color'],
  },
  channelConfig: { rules: { store_history: true, history_size: 100 } },
  info: { info: { channels: ['lobby'] } },
  history: { channel: 'lobby', limit: 50, reverse: true },
  historyPage: { channel: 'lobby', history: [historyItem], more: false },
  counts: { counts: true, channels: ['lobby', 'unknown'], users: ['ann', 'bob'] },
  counted: {
    channels: { lobby: { total_connections: 1, total_users: 1 } },
    users: [{ user: 'ann', total_connections: 1, channels: ['lobby'] }],
  },
  message: said,
  posted: { ...said, ...delivery, timestamp: TIMESTAMP, edited: null },
  recipients: { connections: 1, users: 1, unknown_channels: [] },
  edit: { channel: 'lobby', uuid: UUID, message: { text: 'hello, all' } },
  edited: {
    channel: 'lobby',
    ...delivery,
    uuid: UUID,
    message: { text: 'hello, all' },
    edited: EDITED,
  },
  delete: { channel: 'lobby', uuid: UUID },
  deleted: { channel: 'lobby', ...delivery, uuid: UUID },
  disconnect: { conn_id: CONN_ID },
  disconnectUser: { username: 'bob', reason: 'signed out' },
  disconnectedUser: { username: 'bob', conn_ids: [CONN_ID] },
  historyItem,
  channelInfo,
  channelsInfo,
  admin: {
    remembered_user_count: 1,
    unique_user_count: 1,
    total_connections: 1,
    total_channels: 1,
    total_messages: 1,
    total_unique_messages: 1,
    channels: { lobby: channelInfo },
    users: [
      {
        user: 'ann',
        state: { color: 'red' },
        uuid: '0a6b3c1e-5a55-4a0c-9a57-4a8f3d0a3f3b',
        connections: [CONN_ID],
      },
    ],
    uptime: '0:00:02',
    version: '1.0.0',
  },
  channelsPage: {
    total: 1,
    rows: [
      {
        name: 'lobby',
        total_connections: 1,
        total_users: 1,
        history_length: 1,
        last_active: TIMESTAMP,
      },
    ],
  },
  usersPage: {
    total: 1,
    rows: [
      {
        user: 'ann',
        uuid: '0a6b3c1e-5a55-4a0c-9a57-4a8f3d0a3f3b',
        state: { color: 'blue' },
        public_keys: ['color'],
        total_connections: 1,
        connections: [CONN_ID],
      },
    ],
  },
  figures: {
    version: '1.0.0',
    uptime_seconds: 7.5,
    interval_seconds: 5,
    times: [1_795_226_488_384],
    series: Object.fromEntries(Object.entries(reading).map(([name, value]) => [name, [value]])),
    current: reading,
  },
  webhooks: {
    webhooks: [
      {
        endpoint: 'https://example.com/channelstream',
        queued: 12,
        dropped: 0,
        failures: 2,
        last_error: 'status 503',
        last_error_at: 1_795_226_488_384,
        last_success_at: 1_795_226_480_002,
      },
    ],
  },
  webhookRequest: {
    installation: 'channelstream',
    epoch: '776be6de04bd',
    events: [
      {
        type: 'joined',
        id: '776be6de04bd-17',
        time: 1_795_226_488_384,
        subject: 'channel:lobby',
        seq: 4,
        channel: 'lobby',
        user: 'ann',
      },
    ],
  },
  frame: [messageEvent],
  eventStream: `id: ${messageEvent.id}\ndata: ${JSON.stringify([messageEvent])}\n\n`,
  invalid: { username: ['Missing data for required field.'] },
}

/** Settings of channels. Source of names and defaults: recorded behaviour of Channelstream 0.7.1, except history_ttl. */
import { EXAMPLES } from './examples.ts'
import { looseBoolean, looseInteger, object } from './fields.ts'
import { limitedBy } from './limited-by.ts'
import type { z } from 'zod'

/** About thirty years, like the longest ages in the configuration. */
const MAX_TTL_SECONDS = 1_000_000_000

const FIELDS = {
  notify_presence: looseBoolean.describe(
    'Announce when a user joins (with the first connection) or parts (with the last connection).',
  ),
  store_history: looseBoolean.describe(
    'Store messages for users who join later. If turned off, stored messages are kept, but none are added.',
  ),
  history_size: looseInteger(0)
    .meta(limitedBy('max_history_size'))
    .describe(
      'Number of messages kept if store_history is on. 0: none. The limit is max_history_size.',
    ),
  broadcast_presence_with_user_lists: looseBoolean.describe(
    'Include the list of users, with their public state, in presence events.',
  ),
  notify_state: looseBoolean.describe('Announce when the state of a user in the channel changes.'),
  store_frames: looseBoolean.describe(
    'Keep the last events for clients that reconnect. If off, a client that missed events gets a gap event.',
  ),
  history_ttl: looseInteger(0, MAX_TTL_SECONDS).describe(
    'Seconds for which messages are kept, in the history and for clients that reconnect. 0: no limit. The default is the setting history_ttl of the server.',
  ),
}

export const ChannelSettings = object({
  notify_presence: FIELDS.notify_presence.default(false),
  store_history: FIELDS.store_history.default(false),
  history_size: FIELDS.history_size.default(10),
  broadcast_presence_with_user_lists: FIELDS.broadcast_presence_with_user_lists.default(false),
  notify_state: FIELDS.notify_state.default(false),
  store_frames: FIELDS.store_frames.default(true),
  history_ttl: FIELDS.history_ttl.default(0),
}).meta({
  id: 'ChannelSettings',
  description: 'Settings of a channel.',
  examples: [EXAMPLES.channelSettings],
})
export type ChannelSettings = z.output<typeof ChannelSettings>

/** What a request says about the settings of a channel. */
export const ChannelConfig = object(FIELDS)
  .partial()
  .meta({
    id: 'ChannelConfig',
    description:
      'Settings of a channel. Omitted settings get those of its section in the configuration, or else the defaults.',
    examples: [EXAMPLES.channelSettings],
  })
export type ChannelConfig = z.output<typeof ChannelConfig>

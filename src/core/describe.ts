import { byCodePoint } from './code-points.ts'
import { isoTimestamp } from './timestamps.ts'
import { maySee } from './outgoing-event.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { ChannelInfo, ChannelsInfo, HistoryItem } from '../protocol/responses.ts'
import type { ChannelRecord, Store, StoredEvent } from '../store/store.ts'
import type { InfoOptions } from '../protocol/requests.ts'

export type Described = Pick<
  InfoOptions,
  'include_history' | 'include_users' | 'exclude_channels' | 'return_public_state'
>

/**
 * Describes channels and their users.
 *
 * `names`: undefined for all channels. `viewer`: the user whom the answer is about; it is often passed on to a browser,
 * so history leaves out what that user may not see. Undefined: the backend, which may see everything.
 */
export async function describeChannels(
  store: Store,
  names: readonly ChannelName[] | undefined,
  options: Described,
  viewer?: UserName,
): Promise<ChannelsInfo> {
  const excluded = new Set(options.exclude_channels)
  const records = await store.channels(
    names?.filter((name) => !excluded.has(name)),
    { users: options.include_users, history: options.include_history },
  )
  const shown = records.filter(({ name }) => !excluded.has(name))
  const users = await store.users(new Set(shown.flatMap((record) => record.users)))
  // Without a prototype: a channel may be called `__proto__`.
  const channels = Object.create(null) as Record<string, ChannelInfo>
  for (const record of shown) channels[record.name] = channelInfo(record, viewer)
  const stateOf = options.return_public_state ? 'publicState' : 'state'
  return { channels, users: users.map((user) => ({ user: user.name, state: user[stateOf] })) }
}

function channelInfo(record: ChannelRecord, viewer: UserName | undefined): ChannelInfo {
  const users = [...record.users].sort(byCodePoint)
  const seen =
    viewer === undefined ? record.history : record.history.filter((event) => maySee(viewer, event))
  return {
    uuid: record.uuid,
    name: record.name,
    long_name: null,
    settings: record.settings,
    history: seen.map((event) => historyItem(event, viewer)),
    last_active: isoTimestamp(record.lastActive),
    total_connections: record.connections,
    total_users: users.length,
    users,
  }
}

/** For a viewer, who else got a message is not shown; the keys stay, as recorded (history-shape). */
function historyItem(
  { id, body, delivery }: StoredEvent,
  viewer: UserName | undefined,
): HistoryItem {
  const others = viewer === undefined
  return {
    ...body,
    id,
    date: body.timestamp,
    pm_users: others ? delivery.pmUsers : delivery.pmUsers.filter((user) => user === viewer),
    exclude_users: others ? delivery.excludeUsers : [],
    no_history: delivery.noHistory,
    catchup: false,
  } as HistoryItem
}

import { byCodePoint } from '../../lib/code-points.ts'
import { RUN, sortCooperatively } from '../../lib/cooperative-sort.ts'
import { isListed } from '../../lib/name-list.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { maySee } from '../delivery/outgoing-event.ts'
import { PagedList, PagedRecord, pagesOf } from './paged-answer.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { InfoOptions } from '../../protocol/requests.ts'
import type { ChannelInfo, ChannelsInfo, HistoryItem } from '../../protocol/responses.ts'
import type { ChannelRecord, Store, StoredEvent, UserRecord } from '../../store/store.ts'

export type DescribeOptions = Pick<
  InfoOptions,
  'include_history' | 'include_users' | 'exclude_channels' | 'return_public_state'
>

export const NO_DETAILS: DescribeOptions = {
  include_history: false,
  include_users: false,
  exclude_channels: [],
  return_public_state: false,
}

/** Serialised like `ChannelsInfo`. */
export interface PagedChannelsInfo {
  readonly channels: PagedRecord<ChannelInfo | PagedChannelInfo>
  readonly users: PagedList<ChannelsInfo['users'][number]>
}

/** Serialised like `ChannelInfo`. */
type PagedChannelInfo = Omit<ChannelInfo, 'users' | 'history'> & {
  readonly users: readonly UserName[] | PagedList<UserName>
  readonly history: readonly HistoryItem[] | PagedList<HistoryItem>
}

interface DescribeDeps {
  readonly store: Pick<Store, 'channelNames' | 'channels' | 'describe' | 'users'>
  readonly maybeYield: Yielder
}

/** Answers up to this size are built in one piece. Nearly all are. */
const SHORT = { channels: 100, users: 1_000, messages: 200 }
/** Channels, users and messages per page of a longer answer. */
const PAGE = { channels: 50, users: 500, messages: 20 }

/**
 * Describes channels and their users.
 *
 * `names`: undefined for all channels. `viewer`: the user of the request. Backends often pass the answer on to a
 * browser, so the history leaves out what this user may not see. Undefined: the backend, which may see everything.
 */
export async function describeChannels(
  deps: DescribeDeps,
  names: readonly ChannelName[] | undefined,
  options: DescribeOptions,
  viewer?: UserName,
): Promise<ChannelsInfo | PagedChannelsInfo> {
  const excluded = new Set(options.exclude_channels)
  const known = names ? [...new Set(names)] : await deps.store.channelNames()
  const wanted = excluded.size > 0 ? known.filter((name) => !excluded.has(name)) : known
  if (wanted.length > SHORT.channels) return describeInPages(deps, wanted, options, viewer)
  const described = await deps.store.describe(wanted, includeOf(options), SHORT.users)
  const { channels: records, users } = described
  if (!users || !isShort(records)) return describeInPages(deps, wanted, options, viewer)

  // No prototype: a channel may be called `__proto__`.
  const channels = Object.create(null) as Record<string, ChannelInfo>
  for (const record of records) channels[record.name] = channelInfo(record, viewer)
  return { channels, users: users.map(userRow(options)) }
}

const includeOf = (options: DescribeOptions) => ({
  users: options.include_users,
  history: options.include_history,
})

const userRow = (options: DescribeOptions) => (user: UserRecord) => ({
  user: user.name,
  state: options.return_public_state ? user.publicState : user.state,
})

function isShort(records: readonly ChannelRecord[]): boolean {
  const users = records.reduce((sum, record) => sum + record.users.length, 0)
  const messages = records.reduce((sum, record) => sum + record.history.length, 0)
  return users <= SHORT.users && messages <= SHORT.messages
}

function channelInfo(record: ChannelRecord, viewer: UserName | undefined): ChannelInfo {
  return {
    ...headOf(record),
    history: visibleTo(viewer, record.history).map((event) => historyItem(event, viewer)),
    ...tailOf(record),
    users: [...record.users].sort(byCodePoint),
  }
}

const headOf = ({ uuid, name, settings }: ChannelRecord) => ({
  uuid,
  name,
  long_name: null,
  settings,
})

const tailOf = ({ lastActive, connections, users }: ChannelRecord) => ({
  last_active: isoTimestamp(lastActive),
  total_connections: connections,
  total_users: users.length,
})

const visibleTo = (viewer: UserName | undefined, history: readonly StoredEvent[]) =>
  viewer === undefined ? history : history.filter((event) => maySee(viewer, event))

/** Returns the viewer's name as often as the sender listed it. */
const ownNames = (users: readonly UserName[], viewer: UserName): readonly UserName[] =>
  isListed(users, viewer) ? users.filter((user) => user === viewer) : []

/** Hides from a viewer who else received a message. The keys stay. Source: recorded (history-shape). */
function historyItem(
  { id, body, delivery }: StoredEvent,
  viewer: UserName | undefined,
): HistoryItem {
  const others = viewer === undefined
  return {
    ...body,
    id,
    date: body.timestamp,
    pm_users: others ? delivery.pmUsers : ownNames(delivery.pmUsers, viewer),
    exclude_users: others ? delivery.excludeUsers : [],
    no_history: delivery.noHistory,
    catchup: false,
  } as HistoryItem
}

// --- in pages

/** The list of users is collected while the channels are written, so `users` must be read after `channels`. */
function describeInPages(
  deps: DescribeDeps,
  names: readonly ChannelName[],
  options: DescribeOptions,
  viewer: UserName | undefined,
): PagedChannelsInfo {
  const users = new Set<UserName>()
  return {
    channels: new PagedRecord(channelPages()),
    users: new PagedList(userPages()),
  }

  async function* channelPages() {
    for await (const page of pagesOf(names, PAGE.channels, deps.maybeYield)) {
      const records = await deps.store.channels(page, includeOf(options))
      for (const record of records) {
        for await (const some of pagesOf(record.users, RUN, deps.maybeYield))
          for (const user of some) users.add(user)
      }
      yield records.map(
        (record) => [record.name, pagedChannelInfo(record, viewer, deps.maybeYield)] as const,
      )
    }
  }

  async function* userPages() {
    for await (const page of pagesOf([...users], PAGE.users, deps.maybeYield))
      yield (await deps.store.users(page)).map(userRow(options))
  }
}

function pagedChannelInfo(
  record: ChannelRecord,
  viewer: UserName | undefined,
  maybeYield: Yielder,
): ChannelInfo | PagedChannelInfo {
  if (isShort([record])) return channelInfo(record, viewer)
  return {
    ...headOf(record),
    history: new PagedList(historyPages()),
    ...tailOf(record),
    users: new PagedList(userPages()),
  }

  async function* historyPages() {
    for await (const page of pagesOf(visibleTo(viewer, record.history), PAGE.messages, maybeYield))
      yield page.map((event) => historyItem(event, viewer))
  }

  async function* userPages() {
    yield* pagesOf(
      await sortCooperatively(record.users, byCodePoint, maybeYield),
      PAGE.users,
      maybeYield,
    )
  }
}

import { byCodePoint } from '../../lib/code-points.ts'
import { RUN, sortCooperatively } from '../../lib/cooperative-sort.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import { HISTORY_PAGE, areSmall, historyItem, visibleTo } from './history-items.ts'
import { PagedList, PagedRecord, pagesOf } from './paged-answer.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { InfoOptions } from '../../protocol/requests.ts'
import type { ChannelInfo, ChannelsInfo, HistoryItem } from '../../protocol/responses.ts'
import type {
  ChannelRecord,
  NumberRange,
  Store,
  StoredEvent,
  UserRecord,
} from '../../store/store.ts'

export type DescribeOptions = Pick<
  InfoOptions,
  'include_history' | 'include_users' | 'exclude_channels' | 'return_public_state' | 'counts'
>

export const NO_DETAILS: DescribeOptions = {
  include_history: false,
  include_users: false,
  exclude_channels: [],
  return_public_state: false,
  counts: false,
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
  readonly store: Pick<Store, 'channelNames' | 'channels' | 'describe' | 'history' | 'users'>
  readonly maybeYield: Yielder
}

/** Answers up to this size are built in one piece. Nearly all are. */
const SHORT = { channels: 100, users: 1_000, messages: 200, messageBytes: 262_144 }
/** Channels and users per page of a longer answer. */
const PAGE = { channels: 50, users: 500 }
/** Messages, and bytes of messages, that are read from the store at once. */
const PART = { messages: 200, bytes: 262_144 }

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
  history:
    typeof options.include_history === 'object'
      ? options.include_history.limit
      : options.include_history,
  userCount: options.counts,
})

const userRow = (options: DescribeOptions) => (user: UserRecord) => ({
  user: user.name,
  state: options.return_public_state ? user.publicState : user.state,
})

function isShort(records: readonly ChannelRecord[]): boolean {
  const users = records.reduce((sum, record) => sum + record.users.length, 0)
  const messages = records.flatMap(({ history }) => history)
  return (
    users <= SHORT.users &&
    messages.length <= SHORT.messages &&
    records.every(({ moreHistory }) => moreHistory === undefined) &&
    areSmall(messages, SHORT.messageBytes)
  )
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

const tailOf = ({ lastActive, connections, users, userCount }: ChannelRecord) => ({
  last_active: isoTimestamp(lastActive),
  total_connections: connections,
  total_users: userCount ?? users.length,
})

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
      yield records.map((record) => [record.name, pagedChannelInfo(deps, record, viewer)] as const)
    }
  }

  async function* userPages() {
    for await (const page of pagesOf([...users], PAGE.users, deps.maybeYield))
      yield (await deps.store.users(page)).map(userRow(options))
  }
}

function pagedChannelInfo(
  deps: DescribeDeps,
  record: ChannelRecord,
  viewer: UserName | undefined,
): ChannelInfo | PagedChannelInfo {
  if (isShort([record])) return channelInfo(record, viewer)
  const { maybeYield } = deps
  return {
    ...headOf(record),
    history: new PagedList(historyPages()),
    ...tailOf(record),
    users: new PagedList(userPages()),
  }

  async function* historyPages() {
    for await (const events of historyParts(deps, record))
      for await (const page of pagesOf(visibleTo(viewer, events), HISTORY_PAGE, maybeYield))
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

/** Reads the history of a record. What is removed meanwhile may be missing. */
async function* historyParts(
  { store }: DescribeDeps,
  { name, history, moreHistory }: ChannelRecord,
): AsyncGenerator<readonly StoredEvent[], void> {
  yield history
  for (let range: NumberRange | undefined = moreHistory; range;) {
    const { after, through }: NumberRange = range
    const part = await store.history(name, {
      after,
      before: through + 1,
      isBackward: false,
      most: PART.messages,
      enough: PART.bytes,
    })
    const last = part?.events.at(-1)
    if (part) yield part.events
    range = part?.isMore && last ? { after: last.n, through } : undefined
  }
}

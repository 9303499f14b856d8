/** Counts connections and users without reading lists of them, and finds out where users are. */
import { byCodePoint } from '../../lib/code-points.ts'
import { sortCooperatively } from '../../lib/cooperative-sort.ts'
import { PagedList, PagedRecord, pagesOf } from './paged-answer.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { CountsRequest } from '../../protocol/info-requests.ts'
import type { ChannelCounts, OnlineUser } from '../../protocol/responses.ts'
import type { Store, ChannelCounts as StoredCounts } from '../../store/store.ts'

interface CountDeps {
  readonly store: Pick<Store, 'channelNames' | 'countChannels' | 'connectionsOf' | 'channelsOf'>
  readonly maybeYield: Yielder
}

/** Serialised like `CountsResponse`. */
export interface Counts {
  channels?: Readonly<Record<string, ChannelCounts>> | PagedRecord<ChannelCounts>
  users?: readonly OnlineUserRow[] | PagedList<OnlineUserRow>
}

/** Serialised like `OnlineUser`. */
type OnlineUserRow = Omit<OnlineUser, 'channels'> & {
  readonly channels: readonly ChannelName[] | PagedList<ChannelName>
}

/** Per page of the answer. An answer of one page is built in one piece. */
const PAGE = { channels: 1_000, users: 100, connections: 250, channelsOfUser: 1_000 }

export async function count(
  deps: CountDeps,
  { counts, channels, users }: CountsRequest,
): Promise<Counts> {
  const counted: Counts = {}
  if (counts) counted.channels = await countChannels(deps, channels)
  if (users) counted.users = await findUsers(deps, [...new Set(users)])
  return counted
}

/** `names`: undefined for all channels. */
async function countChannels(
  { store, maybeYield }: CountDeps,
  names: readonly ChannelName[] | undefined,
): Promise<NonNullable<Counts['channels']>> {
  const wanted = names ? [...new Set(names)] : await store.channelNames()
  if (wanted.length > PAGE.channels) return new PagedRecord(pages())
  // No prototype: a channel may be called `__proto__`.
  const channels = Object.create(null) as Record<string, ChannelCounts>
  for (const counts of await store.countChannels(wanted)) channels[counts.name] = totalsOf(counts)
  return channels

  async function* pages() {
    for await (const page of pagesOf(wanted, PAGE.channels, maybeYield)) {
      const counts = await store.countChannels(page)
      yield counts.map((each) => [each.name, totalsOf(each)] as const)
    }
  }
}

const totalsOf = ({ connections, users }: StoredCounts): ChannelCounts => ({
  total_connections: connections,
  total_users: users,
})

async function findUsers(
  deps: CountDeps,
  names: readonly UserName[],
): Promise<NonNullable<Counts['users']>> {
  if (names.length > PAGE.users) return new PagedList(pages())
  const rows = await onlineUsers(deps, names)
  const isLong = rows.some(({ channels }) => channels instanceof PagedList)
  return isLong ? new PagedList(pagesOf(rows, PAGE.users, deps.maybeYield)) : rows

  async function* pages() {
    for await (const page of pagesOf(names, PAGE.users, deps.maybeYield))
      yield await onlineUsers(deps, page)
  }
}

/** Returns those users who have a connection, in the order of the names. */
async function onlineUsers(
  deps: CountDeps,
  names: readonly UserName[],
): Promise<readonly OnlineUserRow[]> {
  const connections = await deps.store.connectionsOf(names)
  const channels = await channelsOfEach(deps, connections)
  const rows: OnlineUserRow[] = []
  for (const [index, user] of names.entries()) {
    const total = connections[index]?.length ?? 0
    if (total === 0) continue
    const list = await sortedList([...(channels[index] ?? [])], deps.maybeYield)
    rows.push({ user, total_connections: total, channels: list })
  }
  return rows
}

/** Returns the channels of each list of connections, each channel once. */
async function channelsOfEach(
  { store, maybeYield }: CountDeps,
  lists: readonly (readonly ConnId[])[],
): Promise<readonly ReadonlySet<ChannelName>[]> {
  const found = lists.map(() => new Set<ChannelName>())
  const pairs = lists.flatMap((list, index) => list.map((connId) => ({ connId, index })))
  for await (const page of pagesOf(pairs, PAGE.connections, maybeYield)) {
    const channels = await store.channelsOf(page.map(({ connId }) => connId))
    for (const [at, { index }] of page.entries()) {
      for (const name of channels[at] ?? []) found[index]?.add(name)
      await maybeYield()
    }
  }
  return found
}

async function sortedList(
  channels: readonly ChannelName[],
  maybeYield: Yielder,
): Promise<readonly ChannelName[] | PagedList<ChannelName>> {
  const sorted = await sortCooperatively(channels, byCodePoint, maybeYield)
  return sorted.length <= PAGE.channelsOfUser
    ? sorted
    : new PagedList(pagesOf(sorted, PAGE.channelsOfUser, maybeYield))
}

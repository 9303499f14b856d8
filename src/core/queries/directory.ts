import { sortCooperatively } from '../../lib/cooperative-sort.ts'
import { MAX_LISTED_CONNECTIONS } from '../../protocol/admin.ts'
import { isoTimestamp } from '../../protocol/timestamps.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Order } from '../../lib/cooperative-sort.ts'
import type { Yielder } from '../../lib/yielder.ts'
import type {
  ChannelRow,
  ChannelsPage,
  ChannelsQuery,
  UserRow,
  UsersPage,
  UsersQuery,
} from '../../protocol/admin.ts'
import type { ChannelName, UserName } from '../../protocol/ids.ts'
import type { ChannelSummary, Scan, Store, UserRecord, UserSummary } from '../../store/store.ts'

/** How long a sorted list is cached: scrolling requests it many times. */
const CACHE_MS = 2_000
/** Maximum number of cached lists. */
const MAX_CACHED_LISTS = 8

interface Named {
  readonly name: string
}

/** Lists channels and users for the admin panel, page by page. */
export class Directory {
  readonly #lists = new Map<string, { readonly until: number; readonly rows: Promise<unknown> }>()

  constructor(
    private readonly store: Pick<Store, 'scanChannels' | 'scanUsers' | 'channels' | 'users'>,
    private readonly clock: Clock,
    private readonly maybeYield: Yielder,
  ) {}

  /** The list is up to two seconds old, so that consecutive pages are consistent. */
  async channels({ search, sort, order, offset, limit }: ChannelsQuery): Promise<ChannelsPage> {
    const found = await this.#cached(['channels', search, sort, order], () =>
      this.#find(this.store.scanChannels(), search, ordering(CHANNEL_KEYS[sort], order)),
    )
    return { total: found.length, rows: found.slice(offset, offset + limit).map(channelRow) }
  }

  /** The list is up to two seconds old; the details of each user are current. */
  async users(query: UsersQuery): Promise<UsersPage> {
    if (query.user === undefined) return this.#usersFound(query)
    const users = await this.store.users([query.user], { connections: true })
    return { total: users.length, rows: users.map(userRow) }
  }

  async #usersFound(query: UsersQuery): Promise<UsersPage> {
    const { search, sort, order, offset, limit, channel } = query
    const compare = ordering<UserSummary>(USER_KEYS[sort], order)
    const found = await this.#cached(['users', search, sort, order, channel ?? null], async () =>
      this.#find(
        channel === undefined ? this.store.scanUsers() : await this.#members(channel),
        search,
        compare,
      ),
    )
    const names = found.slice(offset, offset + limit).map(({ name }) => name)
    const users = await this.store.users(names, { connections: true })
    return { total: found.length, rows: users.map(userRow) }
  }

  async #members(channel: ChannelName): Promise<Scan<UserSummary>> {
    const [record] = await this.store.channels([channel], { users: true, history: false })
    return [(record?.users ?? []).map((name: UserName) => ({ name, connections: 0 }))]
  }

  #cached<Row>(
    key: readonly unknown[],
    find: () => Promise<readonly Row[]>,
  ): Promise<readonly Row[]> {
    const now = this.clock.now()
    for (const [name, { until }] of this.#lists) if (until <= now) this.#lists.delete(name)
    const name = JSON.stringify(key)
    const known = this.#lists.get(name)
    if (known) return known.rows as Promise<readonly Row[]>
    const rows = find()
    this.#lists.set(name, { until: now + CACHE_MS, rows })
    // This caller gets the error. The next one retries.
    rows.catch(() => this.#lists.delete(name))
    const [oldest] = this.#lists.keys()
    if (this.#lists.size > MAX_CACHED_LISTS && oldest !== undefined) this.#lists.delete(oldest)
    return rows
  }

  async #find<Row extends Named>(
    scan: Scan<Row>,
    search: string,
    compare: Order<Row>,
  ): Promise<readonly Row[]> {
    const wanted = search.toLowerCase()
    const found = new Map<string, Row>()
    for await (const part of scan) {
      for (const row of part)
        if (wanted === '' || row.name.toLowerCase().includes(wanted)) found.set(row.name, row)
      await this.maybeYield()
    }
    return sortCooperatively([...found.values()], compare, this.maybeYield)
  }
}

type Key<Row> = (row: Row) => string | number

const CHANNEL_KEYS: Readonly<Record<ChannelsQuery['sort'], Key<ChannelSummary>>> = {
  name: ({ name }) => name,
  total_connections: ({ connections }) => connections,
  total_users: ({ users }) => users,
  history_length: ({ history }) => history,
  last_active: ({ lastActive }) => lastActive,
}
const USER_KEYS: Readonly<Record<UsersQuery['sort'], Key<UserSummary>>> = {
  user: ({ name }) => name,
  total_connections: ({ connections }) => connections,
}

function ordering<Row extends Named>(key: Key<Row>, order: 'asc' | 'desc'): Order<Row> {
  const sign = order === 'asc' ? 1 : -1
  return (one, other) => sign * compare(key(one), key(other)) || compare(one.name, other.name)
}

/** Compares names by UTF-16 units. The order differs a little from code points, but 100,000 names take milliseconds. */
function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0
}

const channelRow = (channel: ChannelSummary): ChannelRow => ({
  name: channel.name,
  total_connections: channel.connections,
  total_users: channel.users,
  history_length: channel.history,
  last_active: isoTimestamp(channel.lastActive),
})

const userRow = ({ name, uuid, state, publicKeys, connections = [] }: UserRecord): UserRow => ({
  user: name,
  uuid,
  state,
  public_keys: [...publicKeys],
  total_connections: connections.length,
  connections: connections.slice(0, MAX_LISTED_CONNECTIONS),
})

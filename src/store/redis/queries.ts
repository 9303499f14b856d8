import { chunksOf } from '../../lib/chunks.ts'
import { counted, readChannel, readCounts, readEvent, readUsers } from './encoding.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type {
  ChannelCounts,
  ChannelRecord,
  ChannelSummary,
  Description,
  Figures,
  HistoryPart,
  HistoryRange,
  Include,
  UserRecord,
  UserSummary,
} from '../store.ts'
import type { Reply } from './encoding.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Records per command. A script blocks Redis, so it has to be short. */
const AT_ONCE = 250
/** The same for names only, and for counts. */
const NAMES_AT_ONCE = 1000
/** The same for connections, each of which may be in a thousand channels. */
const CONNECTIONS_AT_ONCE = 50

/** A message of a megabyte takes some milliseconds to read. */
const MOST_HISTORY_BYTES = 1_048_576

type ChannelsReply = readonly [channels: readonly Reply[], users: Reply, isWhole: number]
type SummaryReply = readonly [ChannelName, string, number, number, string]

/** The read-only calls of the contract, see `../store.ts`. */
export class RedisQueries {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly redis: ReconnectingConnection,
  ) {}

  async channels(names: readonly ChannelName[], include: Include): Promise<ChannelRecord[]> {
    const chunks = chunksOf([...new Set(names)], AT_ONCE)
    const replies = await Promise.all(chunks.map((chunk) => this.#channels(chunk, include, 0)))
    return replies.flatMap(([channels]) => this.#readChannels(channels))
  }

  async describe(
    names: readonly ChannelName[],
    include: Include,
    mostUsers: number,
  ): Promise<Description> {
    // A frequent case: a backend connects a user that is in no channel yet.
    if (names.length === 0) return { channels: [], users: [] }
    const [channels, users, isWhole] = await this.#channels([...new Set(names)], include, mostUsers)
    const records = this.#readChannels(channels)
    return isWhole === 1 ? { channels: records, users: readUsers(users) } : { channels: records }
  }

  async history(channel: ChannelName, range: HistoryRange): Promise<HistoryPart | undefined> {
    const { after = -1, before = -1, isBackward, most, enough = Infinity } = range
    const bytes = Math.min(enough, MOST_HISTORY_BYTES)
    const limits = [after, before, isBackward ? 1 : 0, most, bytes]
    const reply = await this.runner.run('history', channel, ...limits)
    if (reply === null) return undefined
    const [texts, isMore] = reply as [readonly string[], number]
    // Redis reads some messages at once, so it may return more than enough. Reading those would block the event loop.
    let size = 0
    const end = texts.findIndex((text) => (size += text.length) > bytes)
    const wanted = end < 0 ? texts : texts.slice(0, end + 1)
    return {
      events: wanted.map((text) => readEvent(text, this.runner.epoch)),
      isMore: isMore === 1 || wanted.length < texts.length,
    }
  }

  async users(names: Iterable<UserName>, connections: boolean): Promise<UserRecord[]> {
    const replies = await Promise.all(
      chunksOf([...names], AT_ONCE).map((chunk) =>
        this.runner.run('users', connections ? 1 : 0, ...counted(chunk)),
      ),
    )
    return replies.flatMap(readUsers)
  }

  async countChannels(names: readonly ChannelName[]): Promise<ChannelCounts[]> {
    const chunks = chunksOf([...new Set(names)], NAMES_AT_ONCE)
    const counts = await Promise.all(
      chunks.map(async (chunk) =>
        readCounts(chunk, await this.runner.run('countChannels', ...counted(chunk))),
      ),
    )
    return counts.flat()
  }

  connectionsOf(names: readonly UserName[]): Promise<ConnId[][]> {
    return this.#listsOf<ConnId>('connectionsOf', names, AT_ONCE)
  }

  channelsOf(connIds: readonly ConnId[]): Promise<ChannelName[][]> {
    return this.#listsOf<ChannelName>('channelsOf', connIds, CONNECTIONS_AT_ONCE)
  }

  async hasConnection(connId: ConnId): Promise<boolean> {
    return (await this.redis.command('EXISTS', this.runner.keys.connection(connId))) === 1
  }

  async hasUser(user: UserName): Promise<boolean> {
    return (await this.redis.command('HEXISTS', this.runner.keys.user(user), 'i')) === 1
  }

  async channelNames(): Promise<ChannelName[]> {
    const names: ChannelName[] = []
    const { channels } = this.runner.keys
    for (let from = '0'; ;) {
      const page = (await this.redis.command(
        ...['ZRANGE', channels, `(${from}`, '+inf', 'BYSCORE'],
        ...['LIMIT', '0', String(NAMES_AT_ONCE), 'WITHSCORES'],
      )) as unknown as readonly (readonly [ChannelName, number])[]
      for (const [name] of page) names.push(name)
      const last = page.at(-1)
      if (!last || page.length < NAMES_AT_ONCE) return names
      from = String(last[1])
    }
  }

  async connectedUserNames(): Promise<UserName[]> {
    const connected = new Set<UserName>()
    for await (const chunk of this.scanUsers())
      for (const { name, connections } of chunk) if (connections > 0) connected.add(name)
    return [...connected]
  }

  async *scanChannels(): AsyncGenerator<ChannelSummary[], void> {
    for (let from = '0'; ;) {
      const reply = await this.runner.run('summaries', from, AT_ONCE)
      const [next, found] = reply as unknown as readonly [string, readonly SummaryReply[]]
      if (found.length > 0) yield found.map(summaryOf)
      if (found.length < AT_ONCE) return
      from = next
    }
  }

  async *scanUsers(): AsyncGenerator<UserSummary[], void> {
    const { users } = this.runner.keys
    let cursor = '0'
    do {
      const reply = await this.redis.command(
        ...['HSCAN', users, cursor, 'COUNT', String(NAMES_AT_ONCE / 2)],
      )
      const [next, flat] = reply as unknown as readonly [string, readonly string[]]
      // Redis may return more than COUNT.
      for (const chunk of chunksOf(flat, 2 * NAMES_AT_ONCE))
        yield chunksOf(chunk, 2).map(([name, count]) => ({
          name: name as UserName,
          connections: Number(count),
        }))
      cursor = next
    } while (cursor !== '0')
  }

  async figures(): Promise<Figures> {
    const counts = (await this.runner.run('figures')) as readonly (string | number)[]
    const [
      connectedUsers = 0,
      connections = 0,
      messages = 0,
      deliveries = 0,
      users = 0,
      channels = 0,
    ] = counts.map(Number)
    return { users, connectedUsers, connections, channels, messages, deliveries }
  }

  /** Runs a script that returns a list for each name. */
  async #listsOf<Element extends string>(
    script: 'connectionsOf' | 'channelsOf',
    names: readonly string[],
    atOnce: number,
  ): Promise<Element[][]> {
    const replies = await Promise.all(
      chunksOf(names, atOnce).map((chunk) => this.runner.run(script, ...counted(chunk))),
    )
    return replies.flatMap((lists) => lists as unknown as Element[][])
  }

  async #channels(
    names: readonly ChannelName[],
    { users, history, userCount }: Include,
    mostUsers: number,
  ): Promise<ChannelsReply> {
    const newest = history === true ? -1 : Math.min(Number(history), Number.MAX_SAFE_INTEGER)
    const args = [users ? 1 : 0, newest, userCount ? 1 : 0, mostUsers]
    const reply = await this.runner.run('channels', ...args, ...counted(names))
    return reply as unknown as ChannelsReply
  }

  #readChannels(replies: readonly Reply[]): ChannelRecord[] {
    return replies.map((reply) => readChannel(reply, this.runner.epoch))
  }
}

const summaryOf = ([
  name,
  connections,
  users,
  history,
  lastActive,
]: SummaryReply): ChannelSummary => ({
  name,
  connections: Number(connections),
  users,
  history,
  lastActive: Number(lastActive),
})

import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type * as Contract from '../store.ts'
import type { RedisQueries } from './queries.ts'

/** The calls of the contract that change nothing. */
export abstract class RedisReads {
  protected abstract readonly queries: RedisQueries

  hasConnection(connId: ConnId): Promise<boolean> {
    return this.queries.hasConnection(connId)
  }

  channelNames(): Promise<readonly ChannelName[]> {
    return this.queries.channelNames()
  }

  channels(names: readonly ChannelName[], include: Contract.Include) {
    return this.queries.channels(names, include)
  }

  describe(names: readonly ChannelName[], include: Contract.Include, mostUsers: number) {
    return this.queries.describe(names, include, mostUsers)
  }

  history(channel: ChannelName, range: Contract.HistoryRange) {
    return this.queries.history(channel, range)
  }

  users(names: Iterable<UserName>, include = { connections: false }) {
    return this.queries.users(names, include.connections)
  }

  countChannels(names: readonly ChannelName[]) {
    return this.queries.countChannels(names)
  }

  connectionsOf(names: readonly UserName[]) {
    return this.queries.connectionsOf(names)
  }

  channelsOf(connIds: readonly ConnId[]) {
    return this.queries.channelsOf(connIds)
  }

  connectedUserNames(): Promise<readonly UserName[]> {
    return this.queries.connectedUserNames()
  }

  hasUser(user: UserName): Promise<boolean> {
    return this.queries.hasUser(user)
  }

  scanChannels() {
    return this.queries.scanChannels()
  }

  scanUsers() {
    return this.queries.scanUsers()
  }
}

import { LiveConnection } from './connection.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Sink } from './connection.ts'

/** Listens to channels without being a member. */
export class Guest extends LiveConnection {
  /** Channels that are not forgotten while the guest is open. */
  readonly keptChannels = new Set<ChannelName>()

  constructor(
    /** The user name for filters and messages. No other open guest has it. */
    name: UserName,
    sink: Sink,
  ) {
    super(crypto.randomUUID() as ConnId, name)
    this.sink = sink
  }
}

import { LiveConnection } from './connection.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Sink } from './connection.ts'

/** Someone who listens to channels without being in them. */
export class Guest extends LiveConnection {
  /** Channels that are kept for it while it is here. */
  readonly keptChannels = new Set<ChannelName>()

  constructor(
    /** What filters and messages call it. Nobody else's, for as long as it is here. */
    name: UserName,
    sink: Sink,
  ) {
    super(crypto.randomUUID() as ConnId, name)
    this.sink = sink
  }
}

import type { ChannelName } from '../protocol/ids.ts'

/** For whom a message was when it was published. */
export interface Recipients {
  /** Connections of members, or of users. One that is in several of the channels counts in each. */
  readonly connections: number
  /** The users of these connections, counted in the same way. */
  readonly users: number
  /** Channels of the message that do not exist. */
  readonly unknownChannels: readonly ChannelName[]
}

export interface ChannelCounts {
  readonly name: ChannelName
  readonly connections: number
  readonly users: number
}

/** The part of the contract of stores that limits what one user has and does. Which limits there are is up to callers. */
import type { ChannelName, UserName } from '../protocol/ids.ts'

/** Limits the channels that a user is in, with all connections together. */
export interface ChannelLimit {
  readonly maxChannels: number
  /** Users without the limit. */
  readonly unlimited: readonly UserName[]
}

/** The user would be in more channels than a `ChannelLimit` allows. Nothing was changed. */
export class TooManyChannels extends Error {
  override readonly name = 'TooManyChannels'
  constructor(readonly user: UserName) {
    super('a user would be in too many channels')
  }
}

/**
 * Limits messages with a token bucket for each user and channel. A bucket holds `burst` tokens, and gets one each
 * `intervalMs`.
 */
export interface MessageRate {
  readonly intervalMs: number
  readonly burst: number
  /** One for each user and channel. */
  readonly charges: readonly Charge[]
}

/** Takes tokens from a bucket: at most `burst`. Private messages without a channel share the bucket of no channel. */
export interface Charge {
  readonly user: UserName
  readonly channel: ChannelName | null
  readonly tokens: number
}

/** Users have posted more messages than a `MessageRate` allows. Nothing was published, and no token was taken. */
export class RateExceeded extends Error {
  override readonly name = 'RateExceeded'
  constructor(readonly refused: readonly RefusedCharge[]) {
    super('a user posts too many messages')
  }
}

/** `charge`: its index. `waitMs`: after this time its bucket has enough tokens, if nobody takes any. */
export interface RefusedCharge {
  readonly charge: number
  readonly waitMs: number
}

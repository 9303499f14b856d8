/** Limits on what one user may have and do. Exceeding one is answered with a 429 that names the field, and has no effect. */
import { complaint, listComplaints } from '../protocol/complaints.ts'
import { RequestError, invalid } from '../protocol/errors.ts'
import { bucketName } from '../store/token-bucket.ts'
import { RateExceeded, TooManyChannels } from '../store/user-limits.ts'
import { hasTarget, targetsOf } from './messages.ts'
import type { Fault } from '../protocol/complaints.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { UserName } from '../protocol/ids.ts'
import type { MessageRequest } from '../protocol/requests.ts'
import type { Awaitable, ConnectFacts } from '../store/store.ts'
import type { ChannelLimit, Charge, MessageRate } from '../store/user-limits.ts'

export interface UserLimitRules {
  /** 0: no limit. The same for the others. */
  readonly maxConnections: number
  /** With all connections together. */
  readonly maxChannels: number
  /** Messages in each channel, on average. */
  readonly messagesPerSecond: number
  /** Messages in each channel at once, after a pause. */
  readonly messageBurst: number
  /** Users without these limits. */
  readonly unlimited: readonly UserName[]
  /** After this time, connections have ended that clients have lost. */
  readonly lostAfterMs: number
  readonly onRefused: (limit: UserLimit, user: UserName) => void
}

export const NO_USER_LIMITS: UserLimitRules = {
  maxConnections: 0,
  maxChannels: 0,
  messagesPerSecond: 0,
  messageBurst: 1,
  unlimited: [],
  lostAfterMs: 0,
  onRefused: () => {},
}

/** The limits. They are the values of the label `limit` in `/metrics`. */
export type UserLimit = 'connections' | 'channels' | 'messages'

const CODES = {
  connections: 'TOO_MANY_CONNECTIONS',
  channels: 'TOO_MANY_CHANNELS',
  messages: 'TOO_MANY_MESSAGES',
} as const satisfies Record<UserLimit, ErrorCode>

/** A charge, and where the request has its first message. */
interface PlacedCharge extends Charge {
  readonly index: number
}

/** What the messages of a request take. */
export interface PostingRate extends MessageRate {
  readonly charges: readonly PlacedCharge[]
}

type RefusedOutcome = 'too-many-connections' | 'too-many-channels'

export class UserLimits {
  #unlimited: ReadonlySet<UserName>

  constructor(private rules: UserLimitRules) {
    this.#unlimited = new Set(rules.unlimited)
  }

  /** Applies to requests from now on. */
  change(rules: UserLimitRules): void {
    this.rules = rules
    this.#unlimited = new Set(rules.unlimited)
  }

  /** Returns the limits on a connection of this user. */
  onConnect(user: UserName): Pick<ConnectFacts, 'maxConnections' | 'maxChannels'> {
    const { maxConnections, maxChannels } = this.rules
    return this.#unlimited.has(user) ? {} : { maxConnections, maxChannels }
  }

  /** Returns the limit on connections whose user only the store knows. */
  onJoin(): ChannelLimit | undefined {
    const { maxChannels, unlimited } = this.rules
    return maxChannels === 0 ? undefined : { maxChannels, unlimited }
  }

  /**
   * Returns the tokens that messages take. Undefined if they take none. Throws `INVALID` for more messages of a user
   * in a channel than can ever be posted at once.
   */
  onPost(requests: readonly MessageRequest[]): PostingRate | undefined {
    const { messagesPerSecond, messageBurst: burst } = this.rules
    if (messagesPerSecond === 0) return undefined
    const charges = this.#chargesFor(requests)
    const excessive = charges.find(({ tokens }) => tokens > burst)
    if (excessive) {
      const text = `More than ${burst} messages of this user in one channel.`
      throw invalid(complaint([String(excessive.index), 'user'], text))
    }
    if (charges.length === 0) return undefined
    return { intervalMs: 1000 / messagesPerSecond, burst, charges }
  }

  /** Returns the error that answers a refusal of `connect`. Reports it. */
  refusal(outcome: RefusedOutcome, user: UserName): RequestError {
    const { maxConnections, maxChannels, lostAfterMs, onRefused } = this.rules
    const isOfConnections = outcome === 'too-many-connections'
    const complaints = isOfConnections
      ? complaint(['username'], `A user may have ${counted(maxConnections, 'connection')}.`)
      : complaint(['channels'], `A user may be in ${counted(maxChannels, 'channel')}.`)
    const limit = isOfConnections ? 'connections' : 'channels'
    onRefused(limit, user)
    return new RequestError(CODES[limit], complaints, secondsOf(lostAfterMs))
  }

  /**
   * Calls the store. Turns `TooManyChannels` and `RateExceeded` into the error that answers the request, and reports
   * that. `rate`: what the call takes.
   */
  async guard<Result>(call: () => Awaitable<Result>, rate?: PostingRate): Promise<Result> {
    try {
      return await call()
    } catch (error) {
      if (error instanceof TooManyChannels) throw this.refusal('too-many-channels', error.user)
      throw rate && error instanceof RateExceeded ? this.#tooFast(rate, error) : error
    }
  }

  #tooFast({ charges }: PostingRate, { refused }: RateExceeded): RequestError {
    const faults = refused.flatMap(({ charge, waitMs }): Fault[] => {
      const { index, user } = charges[charge] as PlacedCharge
      this.rules.onRefused('messages', user)
      const text = `Too many messages. Wait ${counted(secondsOf(waitMs), 'second')}.`
      return [[[String(index), 'user'], text]]
    })
    const longestMs = Math.max(...refused.map(({ waitMs }) => waitMs))
    return new RequestError(CODES.messages, listComplaints(faults), secondsOf(longestMs))
  }

  /** Leaves out users without limits, and messages that nobody gets. */
  #chargesFor(requests: readonly MessageRequest[]): PlacedCharge[] {
    const charges = new Map<string, PlacedCharge>()
    for (const [index, request] of requests.entries()) {
      const { user } = request
      if (!hasTarget(request) || this.#unlimited.has(user)) continue
      for (const channel of targetsOf(request)) {
        const name = bucketName({ user, channel })
        const known = charges.get(name) ?? { user, channel, tokens: 0, index }
        charges.set(name, { ...known, tokens: known.tokens + 1 })
      }
    }
    return [...charges.values()]
  }
}

/** For `Retry-After`, in which 0 would mean at once. */
const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1000))

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

import { checkMessages } from './limits.ts'
import { postDelete, postEdits, postMessages } from './messages.ts'
import type { Clock } from '../lib/clock.ts'
import type { ChannelName } from '../protocol/ids.ts'
import type { DeleteRequest, EditRequest, MessageRequest } from '../protocol/requests.ts'
import type { Store } from '../store/store.ts'
import type { ChannelRules } from './channel-rules.ts'
import type { HubOptions } from './hub-options.ts'
import type { Posting } from './messages.ts'
import type { PostingRate, UserLimits } from './user-limits.ts'

/** The channels of a message, an edit or a delete. */
interface Targets {
  readonly channel: ChannelName | null
  readonly channels?: readonly ChannelName[] | undefined
}

interface PosterDeps {
  readonly store: Pick<Store, 'publish'>
  readonly clock: Clock
  readonly rules: ChannelRules
  readonly userLimits: UserLimits
  readonly options: HubOptions
}

/**
 * Publishes what backends post. Each method publishes a list in order. It resolves when the store has it, not when
 * clients have received it, with the list with defaults filled in. It throws `INVALID` for a list that is too long,
 * before any effect. Requests with the same `once` (a UUID) are published once. Only messages are subject to the rate of
 * a user, for which `messages` throws `TOO_MANY_MESSAGES`.
 */
export class Poster {
  constructor(private readonly deps: PosterDeps) {}

  async messages(requests: readonly MessageRequest[], once?: string): Promise<MessageRequest[]> {
    const { clock, userLimits } = this.deps
    this.#check(requests)
    const rate = userLimits.onPost(requests)
    return this.#post(postMessages(clock, requests, once), once, rate)
  }

  async edits(requests: readonly EditRequest[], once?: string): Promise<EditRequest[]> {
    this.#check(requests)
    return this.#post(postEdits(this.deps.clock, requests), once)
  }

  async deletes(requests: readonly DeleteRequest[], once?: string): Promise<DeleteRequest[]> {
    this.#check(requests)
    return this.#post(requests.map(postDelete), once)
  }

  #check(requests: readonly Targets[]): void {
    checkMessages(requests, this.deps.options)
    this.deps.rules.checkMessages(requests)
  }

  async #post<Answer>(
    postings: readonly Posting<Answer>[],
    once: string | undefined,
    rate?: PostingRate,
  ): Promise<Answer[]> {
    const { store, userLimits, options } = this.deps
    const publications = postings.map(({ publication }) => publication)
    await userLimits.guard(() => store.publish(publications, once, rate), rate)
    options.onPosted?.(publications)
    return postings.map(({ answer }) => answer)
  }
}

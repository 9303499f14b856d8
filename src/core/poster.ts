import { checkMessages } from './limits.ts'
import { postDelete, postEdits, postMessages } from './messages.ts'
import type { Clock } from '../lib/clock.ts'
import type { PostedDelete, PostedEdit, PostedMessage } from '../protocol/posted.ts'
import type { DeleteRequest, EditRequest, MessageRequest } from '../protocol/requests.ts'
import type { Recipients } from '../protocol/responses.ts'
import type { Publication, Store, Recipients as StoredRecipients } from '../store/store.ts'
import type { ChannelRules } from './channel-rules.ts'
import type { HubOptions } from './hub-options.ts'
import type { Posting, Targets } from './messages.ts'
import type { PostingRate, UserLimits } from './user-limits.ts'

interface PosterDeps {
  readonly store: Pick<Store, 'publish' | 'publishAndCount'>
  readonly clock: Clock
  readonly rules: ChannelRules
  readonly userLimits: UserLimits
  readonly options: HubOptions
}

/** A message as it is answered, with its recipients. */
export type CountedMessage = PostedMessage & { readonly recipients: Recipients | null }

/**
 * Publishes what backends post. Each method publishes a list in order. It resolves when the store has it, not when
 * clients have received it, with the list with defaults filled in. It throws `INVALID` for a list that is too long,
 * before any effect. Requests with the same `once` (a UUID) are published once. Only messages are subject to the rate of
 * a user, for which it throws `TOO_MANY_MESSAGES`.
 */
export class Poster {
  constructor(private readonly deps: PosterDeps) {}

  async messages(requests: readonly MessageRequest[], once?: string): Promise<PostedMessage[]> {
    const { postings, rate } = this.#postingsOf(requests, once)
    return this.#post(postings, once, rate)
  }

  /** Tells the recipients of each message. null if an earlier attempt of the request has published it. */
  async messagesAndCount(
    requests: readonly MessageRequest[],
    once?: string,
  ): Promise<CountedMessage[]> {
    const { store, userLimits, options } = this.deps
    const { postings, rate } = this.#postingsOf(requests, once)
    const publications = publicationsOf(postings)
    const counted = await userLimits.guard(
      () => store.publishAndCount(publications, once, rate),
      rate,
    )
    options.onPosted?.(publications)
    return postings.map(({ answer }, index) => {
      const recipients = counted?.[index]
      return Object.assign({}, answer, { recipients: recipients ? shown(recipients) : null })
    })
  }

  async edits(requests: readonly EditRequest[], once?: string): Promise<PostedEdit[]> {
    this.#check(requests)
    return this.#post(postEdits(this.deps.clock, requests), once)
  }

  async deletes(requests: readonly DeleteRequest[], once?: string): Promise<PostedDelete[]> {
    this.#check(requests)
    return this.#post(requests.map(postDelete), once)
  }

  #check(requests: readonly Targets[]): void {
    checkMessages(requests, this.deps.options)
    this.deps.rules.checkMessages(requests)
  }

  #postingsOf(requests: readonly MessageRequest[], once: string | undefined) {
    const { clock, userLimits } = this.deps
    this.#check(requests)
    const rate = userLimits.onPost(requests)
    return { postings: postMessages(clock, requests, once), rate }
  }

  async #post<Answer>(
    postings: readonly Posting<Answer>[],
    once: string | undefined,
    rate?: PostingRate,
  ): Promise<Answer[]> {
    const { store, userLimits, options } = this.deps
    const publications = publicationsOf(postings)
    await userLimits.guard(() => store.publish(publications, once, rate), rate)
    options.onPosted?.(publications)
    return postings.map(({ answer }) => answer)
  }
}

const publicationsOf = (postings: readonly Posting<unknown>[]): Publication[] =>
  postings.map(({ publication }) => publication)

const shown = ({ connections, users, unknownChannels }: StoredRecipients): Recipients => ({
  connections,
  users,
  unknown_channels: [...unknownChannels],
})

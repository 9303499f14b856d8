import {
  PRIVATE_SUBJECT,
  channelMember,
  channelSubject,
  clientSubject,
  messageMembers,
  slowClientMembers,
  userMember,
  userSubject,
  webhookId,
  webhookText,
} from '../webhook-text.ts'
import { QueuedEvents } from './queued-events.ts'
import { User } from './records.ts'
import type { Clock } from '../../lib/clock.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { WebhookEventType } from '../../protocol/webhooks.ts'
import type { StoredEvent } from '../store.ts'
import type {
  EndpointFigures,
  EndpointStatus,
  QueuePart,
  QueuedEvent,
  ReadLimits,
  ResyncReason,
  SlowClientFacts,
  WebhookQueue,
  WebhookRules,
} from '../webhook-queue.ts'
import type { Changes } from './changes.ts'
import type { Channel } from './records.ts'

export interface Endpoint {
  /** It has got all events up to this number. */
  at: number
  resync: ResyncReason | undefined
  /** Dropped since it was last told so. */
  untoldDrops: number
  dropped: number
  status: EndpointStatus | undefined
}

export type KeptEndpoint = Readonly<Endpoint>

const LIFE = 'memory'

/** The queue of a single server. */
export class MemoryWebhookQueue implements WebhookQueue {
  readonly outlivesServer = false
  readonly #endpoints = new Map<string, Endpoint>()
  readonly #events: QueuedEvents
  readonly #types: ReadonlySet<WebhookEventType>
  #onAdded: () => void = () => {}

  constructor(
    readonly epoch: string,
    private readonly clock: Pick<Clock, 'wallTime'>,
    private readonly rules: WebhookRules,
    private readonly changes?: Changes,
  ) {
    this.#events = new QueuedEvents(rules)
    this.#types = new Set(rules.events)
  }

  onAdded(listener: () => void): void {
    this.#onAdded = listener
  }

  tellUser(type: 'user_online' | 'user_offline', user: User): void {
    if (this.#types.has(type)) this.#add(type, userSubject(user.name), user, userMember(user.name))
  }

  tellChannel(
    type: `channel_${'occupied' | 'vacated' | 'created' | 'collected'}`,
    channel: Channel,
  ): void {
    const { name } = channel
    if (this.#isTold(type, name))
      this.#add(type, channelSubject(name), channel, channelMember(name))
  }

  tellMember(type: 'joined' | 'parted', channel: Channel, user: UserName): void {
    const { name } = channel
    if (this.#isTold(type, name))
      this.#add(type, channelSubject(name), channel, `${channelMember(name)},${userMember(user)}`)
  }

  /** Tells messages, edits and deletes; other events are ignored. */
  tellMessage({ body, delivery }: StoredEvent, channel?: Channel): void {
    if (body.type !== 'message' && body.type !== 'message:edit' && body.type !== 'message:delete')
      return
    if (!this.#isTold('message', channel?.name)) return
    const subject = channel ? channelSubject(channel.name) : PRIVATE_SUBJECT
    this.#add('message', subject, channel, messageMembers(body, delivery))
  }

  addSlowClient(facts: SlowClientFacts): void {
    if (this.#types.has('slow_client'))
      this.#add('slow_client', clientSubject(facts), undefined, slowClientMembers(facts))
  }

  read(endpoint: string, { mostEvents, mostBytes }: ReadLimits): QueuePart {
    const { at, resync, untoldDrops } = this.#endpoint(endpoint)
    const events = this.#events.after(at, mostEvents, mostBytes)
    return {
      events,
      through: events.at(-1)?.n ?? at,
      resync: resync && { reason: resync, dropped: untoldDrops },
      life: LIFE,
    }
  }

  confirm(id: string, { through, resync }: QueuePart): boolean {
    const endpoint = this.#endpoint(id)
    this.changes?.endpoint(id)
    endpoint.at = Math.max(endpoint.at, through)
    if (resync) {
      endpoint.untoldDrops -= resync.dropped
      endpoint.resync = endpoint.untoldDrops > 0 ? 'dropped' : undefined
    }
    this.#events.removeThrough(Math.min(...[...this.#endpoints.values()].map(({ at }) => at)))
    return true
  }

  release(): void {}

  note(id: string, status: EndpointStatus): boolean {
    this.#endpoint(id).status = status
    this.changes?.endpoint(id)
    return true
  }

  /** The number of the newest event. */
  get newest(): number {
    return this.#events.newest
  }

  /** The number of the oldest event that an endpoint still has to get, or of the next one if there is none. */
  get oldest(): number {
    return this.#events.oldest
  }

  /** Returns at most `most` queued events after this number. */
  queuedAfter(n: number, most: number): readonly QueuedEvent[] {
    return this.#events.after(n, most, Infinity)
  }

  endpointIds(): Iterable<string> {
    return this.#endpoints.keys()
  }

  keptEndpoint(id: string): KeptEndpoint | undefined {
    return this.#endpoints.get(id)
  }

  /**
   * Goes on with the queue of an earlier life of the store. Endpoints that are not used any more are forgotten: the
   * queue would keep everything for them. An endpoint that comes back later gets a `resync`.
   */
  restore(
    newest: number,
    events: readonly QueuedEvent[],
    endpoints: Iterable<readonly [string, KeptEndpoint]>,
  ): void {
    this.#events.restore(newest, events)
    const { endpoints: used } = this.rules
    for (const [id, endpoint] of endpoints)
      if (used?.includes(id) ?? true) this.#endpoints.set(id, { ...endpoint })
    this.#noteLost(1, this.#events.oldest - 1)
    this.#dropIfFull()
  }

  figures(endpoints: readonly string[]): Map<string, EndpointFigures> {
    return new Map(
      endpoints.map((id) => {
        const { at, dropped, status } = this.#endpoint(id)
        return [id, { queued: this.#events.newest - at, dropped, status }]
      }),
    )
  }

  #endpoint(id: string): Endpoint {
    const known = this.#endpoints.get(id)
    if (known) return known
    const at = this.#events.oldest - 1
    const endpoint = { at, resync: 'started', untoldDrops: 0, dropped: 0 } as Endpoint
    this.#endpoints.set(id, endpoint)
    this.changes?.endpoint(id)
    return endpoint
  }

  #isTold(type: WebhookEventType, channel: string | undefined): boolean {
    if (!this.#types.has(type)) return false
    const { channels } = this.rules
    if (channel === undefined || channels.length === 0) return true
    return channels.some((pattern) =>
      pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern,
    )
  }

  #add(
    type: WebhookEventType,
    subject: string,
    record: User | Channel | undefined,
    members: string,
  ): void {
    const n = this.#events.newest + 1
    // Begins at the number of the event: it is larger than all that a forgotten record of the same name had.
    const seq = record && record.webhookSeq > 0 ? record.webhookSeq + 1 : n
    if (record) record.webhookSeq = seq
    this.#noteSeq(record)
    const head = {
      id: webhookId(this.epoch, n),
      type,
      time: Math.floor(this.clock.wallTime()),
      subject,
      seq,
    }
    const event = { n, subject, text: webhookText(head, members) }
    this.#events.push(event)
    this.changes?.queued(event)
    this.#dropIfFull()
    this.#onAdded()
  }

  #noteSeq(record: User | Channel | undefined): void {
    if (record instanceof User) this.changes?.userActivity(record)
    else if (record) this.changes?.channelActivity(record)
  }

  #dropIfFull(): void {
    while (this.#events.isFull) {
      const first = this.#events.oldest
      this.#noteLost(first, this.#events.dropTenth())
    }
  }

  /** Endpoints will never get the events with these numbers, unless they have got them already. */
  #noteLost(first: number, last: number): void {
    for (const [id, endpoint] of this.#endpoints) {
      const lost = last - Math.max(endpoint.at, first - 1)
      if (lost <= 0) continue
      this.changes?.endpoint(id)
      endpoint.at = last
      endpoint.untoldDrops += lost
      endpoint.dropped += lost
      endpoint.resync ??= 'dropped'
    }
  }
}

import { inBackground } from '../lib/in-background.ts'
import { isChannelTopic, nameInTopic } from '../store/store.ts'
import { messageJson } from './frames.ts'
import { REDIS_FIELDS, readMessage } from './incoming.ts'
import { RedisConnection, RedisTimeout } from './redis-connection.ts'
import { dataOf, messageFromRedis } from './translate.ts'
import type { Hub } from '../core/hub.ts'
import type { Certificates } from '../lib/redis-url.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { Publication, Topic } from '../store/store.ts'
import type { PhiloteMessage } from './incoming.ts'
import type { Payload } from './translate.ts'

/** Prefix of channel names in Redis. */
export const CHANNEL_PREFIX = 'philote:channel:'

export interface RedisBusOptions {
  readonly url: string
  readonly certificates?: Certificates | undefined
  /** A unique prefix for ids of messages from this installation's backends. It ignores these when they come back. */
  readonly mark: string
  readonly log: {
    warn(what: string): void
    error(fault: { readonly err: unknown }, what: string): void
  }
}

/**
 * Connects the channels of a hub with Redis. Messages that are published under `philote:channel:` are published in the
 * hub, but only in channels that somebody listens to here.
 */
export class RedisBus {
  readonly connection: RedisConnection
  #hub: Pick<Hub, 'say'> | undefined

  constructor(private readonly options: RedisBusOptions) {
    const { url, certificates, log } = options
    this.connection = new RedisConnection({
      url,
      certificates,
      onAway: (error) => log.error({ err: error }, 'Redis is away'),
      onBack: () => log.warn('Redis is back'),
      onMessage: (topic, text) => this.#onMessage(topic.slice(CHANNEL_PREFIX.length), text),
    })
  }

  /** Sets the hub that receives messages. */
  setHub(hub: Pick<Hub, 'say'>): void {
    this.#hub = hub
  }

  /** To be called when the first listener of a topic arrives, and when the last one leaves. */
  readonly onListening = (topic: Topic, isListening: boolean): void => {
    if (!isChannelTopic(topic)) return
    if (isListening) this.hold(nameInTopic(topic))
    else this.release(nameInTopic(topic))
  }

  /** To be called with messages that a backend posted. Publishes those for everybody on Redis as well. */
  readonly onPosted = (publications: readonly Publication[]): void => {
    for (const { body, delivery, channels = [body.channel] } of publications) {
      const isForAll = delivery.pmUsers.length === 0 && delivery.excludeUsers.length === 0
      if (body.type !== 'message' || !isForAll) continue
      const data = dataOf(body['message'] as Payload | undefined)
      const [id, issuer] = [`${this.options.mark}-${body.uuid}`, body['user'] as string]
      for (const channel of channels) {
        if (channel === null) continue
        const message: PhiloteMessage = { id, issuer, channel, data, event: 'message' }
        inBackground(this.#publish(message), this.#reportLoss)
      }
    }
  }

  /**
   * Publishes a client's message unchanged. Resolves when Redis has it. Rejects with `RedisUnavailable` if it could not
   * be sent to Redis. If Redis received it and did not reply, it is not sent again, because others could get it twice.
   */
  async publish(issuer: UserName, message: PhiloteMessage): Promise<void> {
    try {
      await this.#publish({ ...message, issuer })
    } catch (error) {
      if (!(error instanceof RedisTimeout)) throw error
      this.#reportLoss(error)
    }
  }

  hold(channel: string): void {
    this.connection.hold(CHANNEL_PREFIX + channel)
  }

  release(channel: string): void {
    this.connection.release(CHANNEL_PREFIX + channel)
  }

  /** Resolves when messages in these channels arrive here. The channels have to be held. */
  ready(channels: readonly string[]): Promise<void> {
    return this.connection.ready(channels.map((channel) => CHANNEL_PREFIX + channel))
  }

  readonly #reportLoss = (error: unknown): void =>
    this.options.log.error({ err: error }, 'a message may be lost')

  async #publish(message: PhiloteMessage): Promise<void> {
    await this.connection.command('PUBLISH', CHANNEL_PREFIX + message.channel, messageJson(message))
  }

  /** Passes on messages only. Other things that are published there are not meant for readers. */
  #onMessage(channel: string, text: string): void {
    const message = readMessage(text, REDIS_FIELDS)
    if (message?.event !== 'message' || message.id.startsWith(`${this.options.mark}-`)) return
    inBackground(
      this.#hub?.say(messageFromRedis(channel as ChannelName, message)),
      this.#reportLoss,
    )
  }
}

import { inBackground } from '../lib/in-background.ts'
import { isChannelTopic, nameInTopic } from '../store/store.ts'
import { messageJson } from './frames.ts'
import { REDIS_FIELDS, readMessage } from './incoming.ts'
import { RedisConnection, RedisTimeout } from './redis-connection.ts'
import { dataOf, saidOnRedis } from './translate.ts'
import type { Hub } from '../core/hub.ts'
import type { ChannelName, UserName } from '../protocol/ids.ts'
import type { Publication, Topic } from '../store/store.ts'
import type { Written } from './incoming.ts'
import type { Payload } from './translate.ts'

/** Stands before the name of each channel. */
export const CHANNEL_PREFIX = 'philote:channel:'

export interface RedisBusOptions {
  readonly url: string
  /** Marks what this installation publishes of its own, which it does not take back. Nobody else's. */
  readonly mark: string
  readonly log: {
    warn(what: string): void
    error(fault: { readonly err: unknown }, what: string): void
  }
}

/**
 * The channels of a hub, on Redis: what is published there under `philote:channel:` is said in the hub, in channels that
 * somebody listens to here, and nowhere else.
 */
export class RedisBus {
  readonly link: RedisConnection
  #hub: Pick<Hub, 'say'> | undefined

  constructor(private readonly options: RedisBusOptions) {
    const { url, log } = options
    this.link = new RedisConnection({
      url,
      onAway: (error) => log.error({ err: error }, 'Redis is away'),
      onBack: () => log.warn('Redis is back'),
      onMessage: (topic, text) => this.#heard(topic.slice(CHANNEL_PREFIX.length), text),
    })
  }

  /** Where messages go. */
  speakTo(hub: Pick<Hub, 'say'>): void {
    this.#hub = hub
  }

  /** Told when somebody listens to a topic who was the first, and when the last one does no more. */
  readonly onListening = (topic: Topic, isListening: boolean): void => {
    if (!isChannelTopic(topic)) return
    if (isListening) this.hold(nameInTopic(topic))
    else this.release(nameInTopic(topic))
  }

  /** Told what a backend posted: what is for everybody is for those on Redis as well. */
  readonly onPosted = (publications: readonly Publication[]): void => {
    for (const { body, delivery } of publications) {
      const isForAll = delivery.pmUsers.length === 0 && delivery.excludeUsers.length === 0
      if (body.type !== 'message' || body.channel === null || !isForAll) continue
      const written: Written = {
        id: `${this.options.mark}-${body.uuid}`,
        issuer: body['user'] as string,
        channel: body.channel,
        data: dataOf(body['message'] as Payload | undefined),
        event: 'message',
      }
      inBackground(this.#publish(written), this.#failed)
    }
  }

  /**
   * Publishes what a socket wrote, as it wrote it; resolves once Redis has it. Rejects with `RedisUnavailable` if it could not
   * be handed to Redis. What was handed over and not answered is not repeated: others could get it twice.
   */
  async say(issuer: UserName, written: Written): Promise<void> {
    try {
      await this.#publish({ ...written, issuer })
    } catch (error) {
      if (!(error instanceof RedisTimeout)) throw error
      this.#failed(error)
    }
  }

  hold(channel: string): void {
    this.link.hold(CHANNEL_PREFIX + channel)
  }

  release(channel: string): void {
    this.link.release(CHANNEL_PREFIX + channel)
  }

  /** Resolves once what is published in these channels comes here. They have to be held. */
  ready(channels: readonly string[]): Promise<void> {
    return this.link.ready(channels.map((channel) => CHANNEL_PREFIX + channel))
  }

  readonly #failed = (error: unknown): void =>
    this.options.log.error({ err: error }, 'a message may be lost')

  async #publish(written: Written): Promise<void> {
    await this.link.command('PUBLISH', CHANNEL_PREFIX + written.channel, messageJson(written))
  }

  /** Only messages are for readers; what else is published there is between others. */
  #heard(channel: string, text: string): void {
    const written = readMessage(text, REDIS_FIELDS)
    if (written?.event !== 'message' || written.id.startsWith(`${this.options.mark}-`)) return
    inBackground(this.#hub?.say(saidOnRedis(channel as ChannelName, written)), this.#failed)
  }
}

import { channelTopic, userTopic } from '../store.ts'
import { bucketName } from '../token-bucket.ts'
import { RateExceeded } from '../user-limits.ts'
import { counted, writePublication } from './encoding.ts'
import type { Publication, Recipients, Topic } from '../store.ts'
import type { MessageRate } from '../user-limits.ts'
import type { AnnounceTimes } from './announce-times.ts'
import type { Reply } from './encoding.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Publishes events. Implements calls of the contract, see `../store.ts`. */
export class RedisPublishing {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly times: AnnounceTimes,
    private readonly isListening: (topic: Topic) => boolean,
  ) {}

  async publish(
    publications: readonly Publication[],
    once: string,
    rate: MessageRate | undefined,
  ): Promise<void> {
    if (publications.length === 0) return
    await this.#publish(publications, false, once, rate)
  }

  async publishAndCount(
    messages: readonly Publication[],
    once: string,
    rate: MessageRate | undefined,
  ): Promise<readonly Recipients[] | undefined> {
    if (messages.length === 0) return []
    return readRecipients(messages, await this.#publish(messages, true, once, rate))
  }

  /** Measures the first publication: its event is announced with the others. */
  async #publish(
    publications: readonly Publication[],
    isCounted: boolean,
    once: string,
    rate: MessageRate | undefined,
  ): Promise<Reply> {
    const uuid = publications[0]?.body.uuid ?? ''
    if (publications[0] && topicsOf(publications[0]).some(this.isListening)) this.times.sent(uuid)
    try {
      const args = writePublish(publications, isCounted, once, rate)
      const reply = await this.runner.run('publish', ...args)
      readPublished(reply)
      if (reply === PUBLISHED_BEFORE) this.times.forget(uuid)
      return reply
    } catch (error) {
      this.times.forget(uuid)
      throw error
    }
  }
}

/** The reply of `publish` to a repeated idempotency key. */
const PUBLISHED_BEFORE = 0

/** A message may have thousands of receivers. */
const MOST_TOPICS = 10

/** Returns some of the topics that the event is announced on. */
function topicsOf({ body, users, channels }: Publication): Topic[] {
  if (users) return users.slice(0, MOST_TOPICS).map(userTopic)
  if (channels) return channels.slice(0, MOST_TOPICS).map(channelTopic)
  return body.channel === null ? [] : [channelTopic(body.channel)]
}

/** The arguments of the script `publish`. */
const writePublish = (
  publications: readonly Publication[],
  isCounted: boolean,
  once: string,
  rate: MessageRate | undefined,
): (string | number)[] => [
  ...[once, isCounted ? 1 : 0, rate?.intervalMs ?? 0, rate?.burst ?? 0],
  ...counted(
    (rate?.charges ?? []).flatMap((charge) => [bucketName(charge), String(charge.tokens)]),
  ),
  publications.length,
  ...publications.flatMap(writePublication),
]

/** Reads the reply of `publish`. Throws `RateExceeded` if users post too much. */
function readPublished(reply: Reply): void {
  if (typeof reply !== 'object' || reply === null) return
  const [, refused] = reply as [string, readonly (readonly [charge: number, waitMs: number])[]]
  throw new RateExceeded(refused.map(([charge, waitMs]) => ({ charge, waitMs })))
}

/** Reads the lines of `publish.lua`, one for each message. Undefined if the messages were published before. */
function readRecipients(messages: readonly Publication[], reply: Reply): Recipients[] | undefined {
  if (typeof reply !== 'string') return undefined
  const lines = reply.split('\n').map((line) => line.split(' ').filter((word) => word !== ''))
  return messages.map(({ body, channels }, index) => {
    const [connections = 0, users = 0, ...unknown] = (lines[index] ?? []).map(Number)
    const named = channels ?? (body.channel === null ? [] : [body.channel])
    return { connections, users, unknownChannels: unknown.flatMap((at) => named[at] ?? []) }
  })
}

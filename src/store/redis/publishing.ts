import { bucketName } from '../token-bucket.ts'
import { RateExceeded } from '../user-limits.ts'
import { counted, writePublication } from './encoding.ts'
import type { Publication, Recipients } from '../store.ts'
import type { MessageRate } from '../user-limits.ts'
import type { Reply } from './encoding.ts'
import type { ScriptRunner } from './script-runner.ts'

/** Publishes events. Implements calls of the contract, see `../store.ts`. */
export class RedisPublishing {
  constructor(private readonly runner: ScriptRunner) {}

  async publish(
    publications: readonly Publication[],
    once: string,
    rate: MessageRate | undefined,
  ): Promise<void> {
    if (publications.length === 0) return
    const args = writePublish(publications, false, once, rate)
    readPublished(await this.runner.run('publish', ...args))
  }

  async publishAndCount(
    messages: readonly Publication[],
    once: string,
    rate: MessageRate | undefined,
  ): Promise<readonly Recipients[] | undefined> {
    if (messages.length === 0) return []
    const reply = await this.runner.run('publish', ...writePublish(messages, true, once, rate))
    readPublished(reply)
    return readRecipients(messages, reply)
  }
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

import { discard } from '../../lib/redis-client.ts'
import { withTimeout } from '../../lib/timeout.ts'
import { SnapshotError } from '../snapshot/snapshot-error.ts'
import { ask, connectClients } from './connect.ts'
import { Keys } from './keys.ts'
import type { RedisAddress } from '../../lib/redis-url.ts'
import type { ClientPair } from './connect.ts'
import type { Reply } from './encoding.ts'

export interface BulkOptions {
  readonly address: RedisAddress
  readonly prefix: string
  readonly timeoutMs: number
}

const PATIENCE_MS = 60_000
const SILENT = `Redis has not answered for ${PATIENCE_MS / 1000} s`
/** Commands that are sent together. */
const AT_ONCE = 500
/** Elements of a list, or keys, that are read at once. */
const PAGE = 200

/** Reads and writes the keys of an installation that no server uses. */
export class Bulk {
  readonly #queued: string[][] = []

  private constructor(
    private readonly clients: ClientPair,
    readonly keys: Keys,
  ) {}

  static async connect({ address, prefix, timeoutMs }: BulkOptions): Promise<Bulk> {
    const keys = new Keys(prefix, address.database)
    return new Bulk(await connectClients(address, keys.root, timeoutMs), keys)
  }

  /** The run id of Redis. */
  get run(): string {
    return this.clients.run
  }

  /** The name of a key of the installation. */
  key(...parts: readonly string[]): string {
    return [this.keys.root, ...parts].join(':')
  }

  /** Rejects if Redis does not answer. */
  ask(...command: readonly string[]): Promise<Reply> {
    return withTimeout(ask(this.clients.commands, command), PATIENCE_MS, () => new Error(SILENT))
  }

  /** The fields of a hash. Empty if it does not exist. */
  async hash(key: string): Promise<ReadonlyMap<string, string>> {
    const reply = (await this.ask('HGETALL', key)) as unknown as Readonly<Record<string, string>>
    return new Map(Object.entries(reply))
  }

  /** Returns the texts of a list, in order. */
  list(key: string): Promise<string[]> {
    return inPages((from, to) => this.ask('LRANGE', key, from, to))
  }

  /** Returns the members of a sorted set, in order. */
  sorted(key: string): Promise<string[]> {
    return inPages((from, to) => this.ask('ZRANGE', key, from, to))
  }

  /** The same with their scores. */
  scores(key: string): Promise<(readonly [member: string, score: number])[]> {
    return inPages((from, to) => this.ask('ZRANGE', key, from, to, 'WITHSCORES'))
  }

  /** Returns the names of the fields of a hash. */
  async fields(key: string): Promise<ReadonlySet<string>> {
    const names = new Set<string>()
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const reply = await this.ask('HSCAN', key, cursor, 'COUNT', '1000')
      const [next, found] = reply as [string, string[]]
      for (let place = 0; place < found.length; place += 2) names.add(found[place] as string)
      cursor = next
    }
    return names
  }

  /** How many keys Redis has evicted. 0 if it does not allow the question, as managed ones may. */
  async evictedKeys(): Promise<number> {
    const facts = await this.ask('INFO', 'stats').catch(() => '')
    return Number(/^evicted_keys:(\d+)/m.exec(String(facts))?.[1] ?? 0)
  }

  /** Sends it with others. */
  async write(...command: readonly (string | number)[]): Promise<void> {
    this.#queued.push(command.map(String))
    if (this.#queued.length >= AT_ONCE) await this.flush()
  }

  /** Forgets what was not sent yet. */
  dropQueued(): void {
    this.#queued.length = 0
  }

  async flush(): Promise<void> {
    await Promise.all(this.#queued.splice(0).map((command) => this.ask(...command)))
  }

  /** Yields the keys of the installation, some perhaps twice. */
  async *allKeys(): AsyncGenerator<string, void> {
    const pattern = `${this.keys.root.replaceAll(/[*?[\]\\^]/g, String.raw`\$&`)}*`
    for (let cursor = '0', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const reply = await this.ask('SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000')
      const [next, keys] = reply as [string, string[]]
      yield* keys.filter((key) => key === this.keys.root || key.startsWith(`${this.keys.root}:`))
      cursor = next
    }
  }

  /** Rejects with `SnapshotError` while servers use the installation. */
  async checkIdle(): Promise<void> {
    for (const server of await this.sorted(this.key('servers'))) {
      const reply = await this.ask('PUBSUB', 'SHARDNUMSUB', this.keys.server(server))
      const [, count] = reply as [topic: string, count: number]
      if (count > 0)
        throw new SnapshotError(`A server uses ${this.keys.root} in Redis. Stop all of its servers`)
    }
  }

  close(): void {
    discard(this.clients.commands)
    discard(this.clients.subscriber)
  }
}

/** Reads a list in parts, because Redis answers nobody else while it writes a long answer. */
async function inPages<Element>(
  read: (from: string, to: string) => Promise<Reply>,
): Promise<Element[]> {
  const elements: Element[] = []
  for (;;) {
    const from = elements.length
    const page = (await read(`${from}`, `${from + PAGE - 1}`)) as unknown as Element[]
    elements.push(...page)
    if (page.length < PAGE) return elements
  }
}

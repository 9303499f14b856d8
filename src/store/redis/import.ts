import { deliveryOf } from '../snapshot/records.ts'
import { SnapshotError } from '../snapshot/snapshot-error.ts'
import { Bulk } from './bulk.ts'
import { EXTRA_TTL_MS, LEAP } from './constants.ts'
import { withTime, writeEvent, writeSettings, writeState } from './encoding.ts'
import type { UserName } from '../../protocol/ids.ts'
import type {
  ChannelEventRecord,
  ChannelRecord,
  ConnectionRecord,
  Item,
  PrivateEventRecord,
  UserRecord,
} from '../snapshot/records.ts'
import type { Content, Facts } from '../snapshot/snapshot.ts'
import type { BulkOptions } from './bulk.ts'

export interface ImportRules extends BulkOptions {
  /** How long connections wait for their clients after the first server has started. */
  readonly connectionWaitMs: number
  /** The same for users without connections, and for channels without members. */
  readonly gcUsersMs: number
  readonly gcChannelsMs: number
}

/** Has the name of the root while an import runs, so that no server and no other import begins. */
const CLAIM = 'importing'

/**
 * Fills an installation that has no data yet. Rejects with `SnapshotError` if it has, and with what the content rejects
 * with: then everything that was written is removed again. `wallTime`: now, by the calendar.
 */
export async function importToRedis(
  content: Content,
  rules: ImportRules,
  wallTime: number,
): Promise<void> {
  const bulk = await Bulk.connect(rules)
  const { root } = bulk.keys
  try {
    const isClaimed = (await bulk.ask('SET', root, CLAIM, 'NX')) === 'OK'
    const found = isClaimed ? await firstKey(bulk) : root
    if (found !== undefined) {
      if (isClaimed) await bulk.ask('DEL', root)
      throw new SnapshotError(
        `Redis has data of ${rules.prefix} already, such as ${found}: of servers, or of an import that runs or was broken off. Use another redis_prefix, or remove these keys`,
      )
    }
    const evictedBefore = await bulk.evictedKeys()
    try {
      await new Import(bulk, rules, wallTime).write(content)
      if ((await bulk.evictedKeys()) > evictedBefore)
        throw new SnapshotError(
          'Redis has evicted keys meanwhile. Set its maxmemory-policy to noeviction, and give it more memory',
        )
    } catch (error) {
      throw await withoutTraces(bulk, error)
    }
  } finally {
    bulk.close()
  }
}

async function firstKey(bulk: Bulk): Promise<string | undefined> {
  for await (const key of bulk.allKeys()) if (key !== bulk.keys.root) return key
  return undefined
}

/** Removes everything. Returns the error, which says so if that was not possible. */
async function withoutTraces(bulk: Bulk, error: unknown): Promise<unknown> {
  const { root } = bulk.keys
  try {
    bulk.dropQueued()
    for await (const key of bulk.allKeys()) if (key !== root) await bulk.write('UNLINK', key)
    await bulk.flush()
    await bulk.ask('UNLINK', root)
    return error
  } catch (cause) {
    const reason = error instanceof Error ? error.message : String(error)
    return new SnapshotError(`${reason}. Keys of ${root} are left in Redis: remove them`, { cause })
  }
}

interface ChannelState {
  /** How long it keeps messages. 0: no limit. */
  readonly ttlMs: number
  readonly notifies: boolean
  connections: number
  hasFrames: boolean
}

class Import {
  readonly #channels = new Map<string, ChannelState>()
  readonly #connectionsOf = new Map<UserName, number>()
  readonly #usersWithFrames = new Set<string>()
  #connections = 0

  constructor(
    private readonly bulk: Bulk,
    private readonly rules: ImportRules,
    /** The installation's time begins with the calendar. */
    private readonly now: number,
  ) {}

  async write({ facts, items }: Content): Promise<void> {
    const { bulk } = this
    const { root } = bulk.keys
    for await (const item of items) await this.#add(item, facts)
    await this.#deadlines()
    await bulk.flush()
    // Last of all, and at once: with the root, the installation exists.
    await bulk.write('MULTI')
    await bulk.write('DEL', root)
    await bulk.write('HSET', root, ...this.#root(facts))
    await bulk.write('EXEC')
    await bulk.flush()
  }

  /** See lua/enter.lua and lua/beat.lua. */
  #root(facts: Facts): (string | number)[] {
    const notifying = [...this.#channels.values()].filter(({ notifies }) => notifies).length
    const connected = [...this.#connectionsOf.values()].filter((count) => count > 0)
    return [
      ...['epoch', facts.epoch, 'run', this.bulk.run, 'head', facts.head, 'base', -LEAP],
      ...['forgotten', facts.forgotten_through, 'made', this.#channels.size],
      ...['messages', facts.messages, 'deliveries', facts.deliveries, 'told', facts.newest_webhook],
      ...['connections', this.#connections, 'connected', connected.length],
      // Without the time at which a server was seen: all waits begin with the first one that starts.
      ...['notifying', notifying, 'clock', this.now],
    ]
  }

  async #add(item: Item, { head }: Facts): Promise<void> {
    switch (item.type) {
      case 'user':
        return this.#addUser(item)
      case 'channel':
        return this.#addChannel(item, head)
      case 'event':
        return this.#addEvent(item)
      case 'private_event':
        return this.#addPrivateEvent(item)
      case 'connection':
        return this.#addConnection(item)
      case 'published_key': {
        const { bulk } = this
        const left = Math.max(1, Math.ceil(item.time_left))
        await bulk.write('SET', bulk.key('o', item.key), '', 'PX', left + EXTRA_TTL_MS)
        return bulk.write('ZADD', bulk.key('once'), this.now + left, item.key)
      }
    }
  }

  async #addUser({ name, uuid, ...user }: UserRecord): Promise<void> {
    const { bulk } = this
    this.#connectionsOf.set(name, 0)
    await bulk.write(
      ...['HSET', bulk.keys.user(name), 'i', uuid, 'k', JSON.stringify(user.public_keys)],
      ...['l', user.lost_through, ...fieldIf('w', user.webhook_seq)],
      ...writeState(user.state),
    )
  }

  async #addPrivateEvent({ n, users, body, delivery }: PrivateEventRecord): Promise<void> {
    const { bulk } = this
    // Without the list of all users, as in `writePublication`.
    const text = writeEvent(n, body, deliveryOf({ ...delivery, pm_users: [] }))
    for (const name of users) {
      this.#usersWithFrames.add(name)
      await bulk.write('RPUSH', bulk.key('g', name), text)
    }
  }

  async #addChannel(record: ChannelRecord, head: number): Promise<void> {
    const { bulk } = this
    const { name, settings, removals } = record
    this.#channels.set(name, {
      ...{ ttlMs: settings.history_ttl * 1000, notifies: settings.notify_state },
      ...{ connections: 0, hasFrames: false },
    })
    const ordinal = this.#channels.size
    await bulk.write(
      ...['HSET', bulk.key('c', name), 'i', record.uuid, 's', writeSettings(settings)],
      ...['a', record.last_active, 'o', ordinal, 'n', 0, 'l', record.lost_through],
      ...fieldIf('w', record.webhook_seq),
      ...fieldIf('x', removals.length > 0 ? 1 : 0),
    )
    await bulk.write('ZADD', bulk.key('channels'), ordinal, name)
    if (settings.notify_state) await bulk.write('SADD', bulk.key('notify'), name)
    for (const [place, [who, floor]] of removals.entries()) {
      // Those who are out: the oldest removal is nearest to zero, and all are nearer than the next one will be.
      const score = floor ?? -1 - (head * place) / removals.length
      await bulk.write('ZADD', bulk.key('x', name), score, who)
    }
  }

  async #addEvent({ channel: name, n, at, in: where, body, delivery }: ChannelEventRecord) {
    const { bulk } = this
    const channel = this.#channels.get(name)
    if (!channel) return
    const plain = writeEvent(n, body, deliveryOf(delivery))
    const timed = withTime(plain, Math.round(at))
    const { ttlMs: ttl } = channel
    if (where !== 'replay') await bulk.write('RPUSH', bulk.key('h', name), timed)
    if (where !== 'history') {
      channel.hasFrames = true
      await bulk.write('RPUSH', bulk.key('f', name), ttl > 0 ? timed : plain)
    }
    if (ttl > 0) await bulk.write('ZADD', bulk.key('aging'), 'LT', at + ttl, name)
  }

  async #addConnection({ id, user, cursor, opened, channels }: ConnectionRecord): Promise<void> {
    const { bulk } = this
    this.#connections++
    this.#connectionsOf.set(user, (this.#connectionsOf.get(user) ?? 0) + 1)
    await bulk.write(
      ...[
        'HSET',
        bulk.keys.connection(id),
        'u',
        user,
        'c',
        cursor,
        ...fieldIf('r', opened ? 1 : 0),
      ],
      ...channels.flatMap(([name, since]) => [`#${name}`, since]),
    )
    await bulk.write('HSET', bulk.key('v', user), id, '')
    await bulk.write('ZADD', bulk.key('due'), this.now + this.rules.connectionWaitMs, id)
    for (const [name] of channels) {
      const channel = this.#channels.get(name)
      if (channel) channel.connections++
      await bulk.write('HINCRBY', bulk.key('m', name), user, 1)
    }
  }

  async #deadlines(): Promise<void> {
    const { bulk, now, rules } = this
    for (const [name, count] of this.#connectionsOf) {
      await bulk.write('HSET', bulk.keys.users, name, count)
      if (this.#usersWithFrames.has(name)) await bulk.write('HSET', bulk.keys.user(name), 'f', 1)
      if (count === 0) await bulk.write('ZADD', bulk.key('idle', 'u'), now + rules.gcUsersMs, name)
    }
    for (const [name, { connections, hasFrames }] of this.#channels) {
      const key = bulk.key('c', name)
      if (hasFrames) await bulk.write('HSET', key, 'f', 1)
      if (connections > 0) await bulk.write('HSET', key, 'n', connections)
      else await bulk.write('ZADD', bulk.key('idle', 'c'), now + rules.gcChannelsMs, name)
    }
  }
}

/** Redis does not have fields that are zero. */
const fieldIf = (name: string, value: number): (string | number)[] =>
  value > 0 ? [name, value] : []

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
  /** How long connections wait for their clients, from now on. */
  readonly connectionWaitMs: number
  /** The same for users without connections, and for channels without members. */
  readonly gcUsersMs: number
  readonly gcChannelsMs: number
}

/**
 * Fills an installation that has no data yet. Rejects with `SnapshotError` if it has, and with what the content rejects
 * with: then everything that was written is removed again. `wallTime`: now, by the calendar.
 */
export async function importToRedis(
  { facts, items }: Content,
  rules: ImportRules,
  wallTime: number,
): Promise<void> {
  const bulk = await Bulk.connect(rules)
  try {
    for await (const key of bulk.allKeys())
      throw new SnapshotError(
        `Redis has data of ${rules.prefix} already, such as ${key}. Use another redis_prefix, or remove these keys`,
      )
    try {
      await new Import(bulk, rules, wallTime).write(facts, items)
    } catch (error) {
      await removeAll(bulk)
      throw error
    }
  } finally {
    bulk.close()
  }
}

/** Unless a server has begun to use them. */
async function removeAll(bulk: Bulk): Promise<void> {
  bulk.dropQueued()
  if ((await bulk.ask('EXISTS', bulk.keys.root)) === 1) return
  for await (const key of bulk.allKeys()) await bulk.write('UNLINK', key)
  await bulk.flush()
}

class Import {
  readonly #channels = new Map<
    string,
    ChannelRecord & { connections: number; hasFrames: boolean }
  >()
  readonly #connectionsOf = new Map<UserName, number>()
  readonly #usersWithFrames = new Set<string>()
  #connections = 0

  constructor(
    private readonly bulk: Bulk,
    private readonly rules: ImportRules,
    /** The installation's time begins with the calendar. */
    private readonly now: number,
  ) {}

  async write(facts: Facts, items: Content['items']): Promise<void> {
    const { bulk } = this
    for await (const item of items) await this.#add(item, facts)
    await this.#deadlines()
    await bulk.flush()
    // Last of all: with the root, the installation exists.
    if ((await bulk.ask('EXISTS', bulk.keys.root)) === 1)
      throw new SnapshotError(`A server has begun to use ${bulk.keys.root} in Redis`)
    await bulk.write('HSET', bulk.keys.root, ...this.#root(facts))
    await bulk.flush()
  }

  /** See lua/enter.lua and lua/beat.lua. */
  #root(facts: Facts): (string | number)[] {
    const notifying = [...this.#channels.values()].filter(({ settings }) => settings.notify_state)
    const connected = [...this.#connectionsOf.values()].filter((count) => count > 0)
    return [
      ...['epoch', facts.epoch, 'run', this.bulk.run, 'head', facts.head, 'base', -LEAP],
      ...['forgotten', facts.forgotten_through, 'made', this.#channels.size],
      ...['messages', facts.messages, 'deliveries', facts.deliveries, 'told', facts.newest_webhook],
      ...['connections', this.#connections, 'connected', connected.length],
      ...['notifying', notifying.length, 'clock', this.now, 'seen', this.now],
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
    this.#channels.set(name, { ...record, connections: 0, hasFrames: false })
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
    const ttl = channel.settings.history_ttl * 1000
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

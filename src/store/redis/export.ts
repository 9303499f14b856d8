import { channelEvents } from '../snapshot/channel-events.ts'
import { deliveryRecord } from '../snapshot/records.ts'
import { SnapshotError } from '../snapshot/snapshot-error.ts'
import { Bulk } from './bulk.ts'
import { readEvent, readSettings, readUser, timeOf } from './encoding.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { TimedEvent } from '../snapshot/channel-events.ts'
import type { ChannelRecord, Item } from '../snapshot/records.ts'
import type { Content } from '../snapshot/snapshot.ts'
import type { BulkOptions } from './bulk.ts'

/** What an installation keeps in Redis. */
export interface RedisContent extends Content {
  /** Events that wait for a webhook. They are not part of the content. */
  readonly waitingForWebhooks: number
  release(): void
}

type Root = ReadonlyMap<string, string>
/** Members of a removal that stands for all users, because Redis had evicted the list: see lua/floors.lua. */
const ALL = '*'

/**
 * Reads an installation, and changes nothing in it. Rejects with `SnapshotError` if servers use it or if it has no data,
 * and with what a connection to Redis rejects with. `wallTime`: now, by the calendar.
 */
export async function openForExport(options: BulkOptions, wallTime: number): Promise<RedisContent> {
  const bulk = await Bulk.connect(options)
  try {
    await bulk.checkIdle()
    const root = await bulk.hash(bulk.keys.root)
    const epoch = root.get('epoch')
    if (epoch === undefined)
      throw new SnapshotError(`Redis has no data of an installation named ${options.prefix}`)
    const number = (field: string): number => Number(root.get(field) ?? 0)
    return {
      facts: {
        ...{ taken_at: wallTime, epoch, head: number('head') },
        forgotten_through: number('forgotten'),
        ...{ messages: number('messages'), deliveries: number('deliveries') },
        newest_webhook: number('told'),
      },
      items: new Export(bulk, root, wallTime).items(),
      waitingForWebhooks: Number(await bulk.ask('XLEN', bulk.key('webhook-queue'))),
      release: () => bulk.close(),
    }
  } catch (error) {
    bulk.close()
    throw error
  }
}

class Export {
  /** From the installation's time to the calendar: it ends with the last server. */
  readonly #offset: number
  readonly #time: number
  readonly #users: UserName[] = []
  readonly #channels = new Set<string>()

  constructor(
    private readonly bulk: Bulk,
    root: Root,
    private readonly wallTime: number,
  ) {
    this.#time = Number(root.get('clock') ?? wallTime)
    this.#offset = Number(root.get('seen') ?? wallTime) - this.#time
  }

  async *items(): AsyncGenerator<Item, void> {
    const { bulk } = this
    const names = new Set((await bulk.ask('HKEYS', bulk.key('users'))) as UserName[])
    for (const name of names) yield* this.#user(name)
    for (const name of await bulk.sorted(bulk.key('channels')))
      yield* this.#channel(name as ChannelName)
    for (const name of this.#users) yield* this.#connections(name)
    for (const [key, due] of await bulk.scores(bulk.key('once')))
      if (due > this.#time) yield { type: 'published_key', key, time_left: due - this.#time }
  }

  async *#user(name: UserName): AsyncGenerator<Item, void> {
    const { bulk } = this
    const fields = await bulk.hash(bulk.keys.user(name))
    const user = readUser([name, [...fields].flat()])
    // Redis has evicted it.
    if (!user) return
    this.#users.push(name)
    const lost = Number(fields.get('l') ?? 0)
    yield {
      ...{ type: 'user', name, uuid: user.uuid, state: user.state },
      public_keys: [...user.publicKeys],
      ...{ lost_through: lost, webhook_seq: Number(fields.get('w') ?? 0) },
    }
    for (const text of await bulk.list(bulk.key('g', name))) {
      const { n, body, delivery } = readEvent(text, '')
      if (n > lost)
        yield {
          ...{ type: 'private_event', n, users: [name], body },
          delivery: deliveryRecord(delivery),
        }
    }
  }

  async *#channel(name: ChannelName): AsyncGenerator<Item, void> {
    const { bulk } = this
    const fields = await bulk.hash(bulk.key('c', name))
    const [uuid, settings] = [fields.get('i'), fields.get('s')]
    if (uuid === undefined || settings === undefined) return
    this.#channels.add(name)
    const removals = await this.#removals(name)
    const floorOfAll = removals.find(([who]) => who === ALL)?.[1] ?? 0
    // Who joins gets nothing before that: for those who come back, it counts as lost.
    const lost = Math.max(Number(fields.get('l') ?? 0), floorOfAll)
    yield {
      ...{ type: 'channel', name, uuid, settings: readSettings(settings) },
      ...{ last_active: Number(fields.get('a') ?? this.wallTime), lost_through: lost },
      webhook_seq: Number(fields.get('w') ?? 0),
      removals: removals.filter(([who]) => who !== ALL),
    }
    yield* this.#events(name, lost)
  }

  async #removals(name: ChannelName): Promise<ChannelRecord['removals']> {
    const { bulk } = this
    const scores = [...(await bulk.scores(bulk.key('x', name)))]
    // Those who are out have -1 minus the number of the newest event at that time.
    const changedAt = (score: number): number => (score < 0 ? -score - 1 : score)
    scores.sort(([, one], [, other]) => changedAt(one) - changedAt(other))
    return scores.map(([who, score]) => [who, score < 0 ? null : score])
  }

  async *#events(channel: ChannelName, lost: number): AsyncGenerator<Item, void> {
    const { bulk } = this
    // A long history is partly in each.
    const shown = this.#timed([
      ...(await bulk.list(bulk.key('h', channel))),
      ...(await bulk.sorted(bulk.key('l', channel))),
    ])
    const replayed = this.#timed(await bulk.list(bulk.key('f', channel)))
    const kept = replayed.filter(({ event }) => event.n > lost)
    yield* channelEvents(channel, shown, kept)
  }

  /** Sorted by number. An event without a time is as old as the next one that has a time, see lua/positions.lua. */
  #timed(texts: readonly string[]): TimedEvent[] {
    const events = texts.map((text) => ({ event: readEvent(text, ''), at: timeOf(text) }))
    events.sort((one, other) => other.event.n - one.event.n)
    let later = this.wallTime
    const newestFirst = events.map(({ event, at }) => {
      if (at !== undefined) later = Math.max(0, at + this.#offset)
      return { event, at: later }
    })
    return newestFirst.reverse()
  }

  async *#connections(user: UserName): AsyncGenerator<Item, void> {
    const { bulk } = this
    for (const id of (await bulk.ask('HKEYS', bulk.key('v', user))) as ConnId[]) {
      const fields = await bulk.hash(bulk.keys.connection(id))
      // One that is to be ended, because Redis had evicted something that it needs.
      if (fields.get('u') !== user || fields.has('z')) continue
      const channels = [...fields].flatMap(([field, since]): [ChannelName, number][] => {
        const name = field.slice(1) as ChannelName
        return field.startsWith('#') && this.#channels.has(name) ? [[name, Number(since)]] : []
      })
      const cursor = Number(fields.get('c') ?? 0)
      yield { type: 'connection', id, user, cursor, opened: fields.has('r'), channels }
    }
  }
}

import { chunksOf } from '../../lib/chunks.ts'
import { channelEvents } from '../snapshot/channel-events.ts'
import { deliveryRecord } from '../snapshot/records.ts'
import { SnapshotError } from '../snapshot/snapshot-error.ts'
import { Bulk } from './bulk.ts'
import { LEAP } from './constants.ts'
import { readEvent, readSettings, readUser, timeOf } from './encoding.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { TimedEvent } from '../snapshot/channel-events.ts'
import type { ChannelRecord, Item } from '../snapshot/records.ts'
import type { OpenContent } from '../snapshot/snapshot.ts'
import type { BulkOptions } from './bulk.ts'

/** Commands that are sent together. */
const AT_ONCE = 500
/** Members of a removal that stands for all users, because Redis had evicted the list: see lua/floors.lua. */
const ALL = '*'

/**
 * Reads an installation, and changes nothing in it. Rejects with `SnapshotError` if servers use it or if it has no data,
 * and with what a connection to Redis rejects with. `wallTime`: now, by the calendar.
 */
export async function openForExport(options: BulkOptions, wallTime: number): Promise<OpenContent> {
  const bulk = await Bulk.connect(options)
  try {
    await bulk.checkIdle()
    const root = await bulk.hash(bulk.keys.root)
    const epoch = root.get('epoch')
    if (epoch === undefined)
      throw new SnapshotError(`Redis has no data of an installation named ${options.prefix}`)
    const number = (field: string): number => Number(root.get(field) ?? 0)
    // Another process or machine may have lost the newest numbers: see lua/enter.lua.
    const leap = root.get('run') === bulk.run ? 0 : LEAP
    const head = number('head') + leap
    const survey = await surveyOf(bulk)
    return {
      facts: {
        ...{ taken_at: wallTime, epoch, head },
        // What is made again under a name that was lost begins after everything that was in it.
        forgotten_through: survey.hasLosses ? head : number('forgotten'),
        ...{ messages: number('messages'), deliveries: number('deliveries') },
        newest_webhook: number('told') + leap,
      },
      items: new Export(bulk, { root, head, survey }, wallTime).items(),
      waitingForWebhooks: Number(await bulk.ask('XLEN', bulk.key('webhook-queue'))),
      release: () => bulk.close(),
    }
  } catch (error) {
    bulk.close()
    throw error
  }
}

interface Survey {
  readonly users: readonly UserName[]
  readonly channels: readonly ChannelName[]
  /** Redis has evicted users or channels that are still listed. */
  readonly hasLosses: boolean
}

/** Compares the lists of names with the records. Rejects if Redis has evicted a list, which a server would repair. */
async function surveyOf(bulk: Bulk): Promise<Survey> {
  const listed = {
    users: await bulk.fields(bulk.key('users')),
    channels: new Set(await bulk.sorted(bulk.key('channels'))),
  }
  const [ofUsers, ofChannels] = [bulk.key('u', ''), bulk.key('c', '')]
  const found = { users: new Set<string>(), channels: new Set<string>() }
  for await (const key of bulk.allKeys())
    if (key.startsWith(ofChannels)) found.channels.add(key.slice(ofChannels.length))
    else if (key.startsWith(ofUsers)) found.users.add(key.slice(ofUsers.length))
  // A server may listen to a user that does not exist any more.
  for (const names of chunksOf([...found.users], AT_ONCE)) {
    const keys = names.map((name) => `${ofUsers}${name}`)
    const exist = await Promise.all(keys.map((key) => bulk.ask('HEXISTS', key, 'i')))
    for (const [place, name] of names.entries()) if (exist[place] !== 1) found.users.delete(name)
  }
  const isListed = (kind: keyof typeof found): boolean =>
    [...found[kind]].every((name) => listed[kind].has(name))
  if (!isListed('users') || !isListed('channels'))
    throw new SnapshotError(
      'Redis has evicted the list of all users or channels. Start a server until it has repaired that (a minute), stop it, and export again',
    )
  const isThere = (kind: keyof typeof found): boolean =>
    [...listed[kind]].every((name) => found[kind].has(name))
  return {
    users: [...found.users] as UserName[],
    channels: [...listed.channels].filter((name) => found.channels.has(name)) as ChannelName[],
    hasLosses: !isThere('users') || !isThere('channels'),
  }
}

interface Origin {
  readonly root: ReadonlyMap<string, string>
  readonly head: number
  readonly survey: Survey
}

class Export {
  /** From the installation's time to the calendar: it ends with the last server. */
  readonly #offset: number
  readonly #time: number
  readonly #channels = new Set<string>()

  constructor(
    private readonly bulk: Bulk,
    private readonly origin: Origin,
    private readonly wallTime: number,
  ) {
    const { root } = origin
    this.#time = Number(root.get('clock') ?? wallTime)
    this.#offset = Number(root.get('seen') ?? this.#time) - this.#time
  }

  async *items(): AsyncGenerator<Item, void> {
    const { bulk, origin } = this
    const { users, channels } = origin.survey
    for (const name of users) yield* this.#user(name)
    for (const name of channels) yield* this.#channel(name)
    for (const name of users) yield* this.#connections(name)
    for (const [key, due] of await bulk.scores(bulk.key('once')))
      if (due > this.#time) yield { type: 'published_key', key, time_left: due - this.#time }
    await this.#checkUnchanged()
  }

  async #checkUnchanged(): Promise<void> {
    const { bulk, origin } = this
    await bulk.checkIdle()
    const root = await bulk.hash(bulk.keys.root)
    if ([...origin.root].some(([field, value]) => root.get(field) !== value))
      throw new SnapshotError('A server has used Redis meanwhile. Export again')
  }

  async *#user(name: UserName): AsyncGenerator<Item, void> {
    const { bulk } = this
    const fields = await bulk.hash(bulk.keys.user(name))
    const user = readUser([name, [...fields].flat()])
    if (!user) return
    const texts = await bulk.list(bulk.key('g', name))
    const lost = this.#lostOf(fields, texts)
    yield {
      ...{ type: 'user', name, uuid: user.uuid, state: user.state },
      public_keys: [...user.publicKeys],
      ...{ lost_through: lost, webhook_seq: Number(fields.get('w') ?? 0) },
    }
    for (const text of texts) {
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
    const replayed = await bulk.list(bulk.key('f', name))
    // Redis has evicted who was removed: for all who join again, what was said before counts as lost.
    const isUnknown = fields.has('x') && removals.length === 0
    const floorOfAll = removals.find(([who]) => who === ALL)?.[1] ?? 0
    const lost = isUnknown ? this.origin.head : Math.max(this.#lostOf(fields, replayed), floorOfAll)
    yield {
      ...{ type: 'channel', name, uuid, settings: readSettings(settings) },
      ...{ last_active: Number(fields.get('a') ?? this.wallTime), lost_through: lost },
      webhook_seq: Number(fields.get('w') ?? 0),
      removals: removals.filter(([who]) => who !== ALL),
    }
    yield* this.#events(name, replayed, lost)
  }

  /** Events up to this number are gone. If there were any and none is left, Redis has evicted them. */
  #lostOf(fields: ReadonlyMap<string, string>, texts: readonly string[]): number {
    return fields.has('f') && texts.length === 0 ? this.origin.head : Number(fields.get('l') ?? 0)
  }

  async #removals(name: ChannelName): Promise<ChannelRecord['removals']> {
    const { bulk } = this
    const scores = [...(await bulk.scores(bulk.key('x', name)))]
    // Those who are out have -1 minus the number of the newest event at that time.
    const changedAt = (score: number): number => (score < 0 ? -score - 1 : score)
    scores.sort(([, one], [, other]) => changedAt(one) - changedAt(other))
    return scores.map(([who, score]) => [who, score < 0 ? null : score])
  }

  async *#events(
    channel: ChannelName,
    replayed: readonly string[],
    lost: number,
  ): AsyncGenerator<Item, void> {
    const { bulk } = this
    // A long history is partly in each.
    const shown = this.#timed([
      ...(await bulk.list(bulk.key('h', channel))),
      ...(await bulk.sorted(bulk.key('l', channel))),
    ])
    const times = new Map(shown.map(({ event, at }) => [event.n, at]))
    const kept = this.#timed(replayed, times).filter(({ event }) => event.n > lost)
    yield* channelEvents(channel, shown, kept)
  }

  /**
   * Sorted by number. `times`: those that are known besides, by number. An event without a time is as old as the next one
   * that has a time, see lua/positions.lua.
   */
  #timed(texts: readonly string[], times?: ReadonlyMap<number, number>): TimedEvent[] {
    const events = texts.map((text) => ({ event: readEvent(text, ''), at: timeOf(text) }))
    events.sort((one, other) => other.event.n - one.event.n)
    let later = this.wallTime
    const newestFirst = events.map(({ event, at }) => {
      const known = at === undefined ? times?.get(event.n) : Math.max(0, at + this.#offset)
      later = Math.min(later, known ?? later)
      return { event, at: later }
    })
    return newestFirst.reverse()
  }

  async *#connections(user: UserName): AsyncGenerator<Item, void> {
    const { bulk } = this
    for (const id of (await bulk.fields(bulk.key('v', user))) as ReadonlySet<ConnId>) {
      const fields = await bulk.hash(bulk.keys.connection(id))
      const channels = [...fields].flatMap(([field, since]): [ChannelName, number][] =>
        field.startsWith('#') ? [[field.slice(1) as ChannelName, Number(since)]] : [],
      )
      // One that is to be ended, or would be, because Redis has evicted something that it needs.
      const isLost = channels.some(([name]) => !this.#channels.has(name))
      if (fields.get('u') !== user || fields.has('z') || isLost) continue
      const cursor = Number(fields.get('c') ?? 0)
      yield { type: 'connection', id, user, cursor, opened: fields.has('r'), channels }
    }
  }
}

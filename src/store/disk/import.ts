import { deliveryOf } from '../snapshot/records.ts'
import { DataDirError } from './data-dir-error.ts'
import { Directory } from './directory.ts'
import { holdDirectory } from './holder.ts'
import {
  DIFFERS,
  IN_FRAMES,
  IN_HISTORY,
  LineWriter,
  NEVER_OPENED,
  OPENED,
  keptDelivery,
} from './lines.ts'
import { giveToOwner } from './owner.ts'
import type { ChannelEventRecord, ChannelRecord, Item } from '../snapshot/records.ts'
import type { Content, Facts } from '../snapshot/snapshot.ts'
import type { SyncMode } from './committer.ts'
import type { DataFile } from './data-file.ts'

export interface DirectoryRules {
  readonly directory: string
  readonly sync: SyncMode
  /** How long users without connections and channels without members stay, from now on. */
  readonly gcUsersMs: number
  readonly gcChannelsMs: number
}

/** Lines that are written together. */
const ENOUGH_BYTES = 1_000_000

const PLACES = {
  history: IN_HISTORY | DIFFERS,
  replay: IN_FRAMES | DIFFERS,
  both: IN_HISTORY | IN_FRAMES,
}

/**
 * Fills a data directory that has no data yet. `wallTime`: now, by the calendar. Rejects with `DataDirError` if the
 * directory has data or is in use, and with what the content rejects with: then nothing of it is kept. If the process is
 * killed, the server refuses to start from the directory, see `hasBrokenImport`.
 */
export async function importToDirectory(
  { facts, items }: Content,
  rules: DirectoryRules,
  wallTime: number,
): Promise<void> {
  const directory = new Directory(rules.directory)
  await directory.make()
  const hold = await holdDirectory(rules.directory)
  try {
    const { logs, states } = directory.files()
    if (logs.length + states.length > 0)
      throw new DataDirError(
        `data_dir: ${rules.directory} has data already. Import into another directory, or remove the files in it`,
      )
    await directory.removeUnfinished()
    const head = { epoch: facts.epoch, sync: rules.sync }
    const state = await directory.createState(1, head)
    try {
      await new Import(state, rules, wallTime).write(facts, items)
      await state.end()
    } catch (error) {
      await state.close()
      await directory.removeUnfinished()
      throw error
    }
    await directory.adopt(1)
    // That was said of other data.
    await directory.forgetRestored()
    // Last of all: without a log the server does not start.
    const log = await directory.createLog(1, head)
    await log.end()
    for (const path of [directory.pathOf('state', 1), log.path])
      await giveToOwner(directory.path, path)
  } finally {
    await hold.release()
  }
}

interface ChannelState {
  readonly lastActive: number
  readonly lostThrough: number
  /** The number of the oldest message in the history. */
  oldest: number | null
  readonly webhookSeq: number
}

class Import {
  readonly #lines = new LineWriter()
  /** What is known of each channel when all of its events are read. */
  readonly #channels = new Map<ChannelRecord['name'], ChannelState>()

  constructor(
    private readonly file: DataFile,
    private readonly rules: DirectoryRules,
    /** The time of the new store begins with the calendar. */
    private readonly now: number,
  ) {}

  async write(facts: Facts, items: Content['items']): Promise<void> {
    const { now } = this
    this.#lines.add([
      'm',
      {
        ...{ head: facts.head, forgottenThrough: facts.forgotten_through },
        ...{ messages: facts.messages, deliveries: facts.deliveries },
        ...{ newestQueued: facts.newest_webhook, now, wallTime: now },
      },
    ])
    for await (const item of items) {
      this.#add(item)
      if (this.#lines.bytes > ENOUGH_BYTES) await this.#flush()
    }
    const due = now + this.rules.gcChannelsMs
    for (const [name, { lastActive, lostThrough, oldest, webhookSeq }] of this.#channels)
      this.#lines.add(['t', name, lastActive, lostThrough, oldest, webhookSeq, due])
    await this.#flush()
  }

  async #flush(): Promise<void> {
    if (!this.#lines.isEmpty) await this.file.write(this.file.frameOf(this.#lines.take()))
  }

  #add(item: Item): void {
    const lines = this.#lines
    switch (item.type) {
      case 'user':
        lines.add(['u', item.name, item.uuid, item.state, item.public_keys])
        lines.add([
          ...(['v', item.name, item.lost_through, item.webhook_seq] as const),
          this.now + this.rules.gcUsersMs,
        ])
        return
      case 'channel':
        return this.#addChannel(item)
      case 'event':
        return this.#addEvent(item)
      case 'private_event':
        return lines.add([
          ...(['p', item.n, item.users, item.body] as const),
          keptDelivery(deliveryOf({ ...item.delivery, pm_users: [] })),
        ])
      case 'connection':
        return lines.add([
          ...(['n', item.id, item.user, item.cursor, item.opened ? OPENED : NEVER_OPENED] as const),
          ...item.channels.flat(),
        ])
      case 'published_key':
        return lines.add(['o', item.key, this.now + item.time_left])
    }
  }

  #addChannel(record: ChannelRecord): void {
    const ordinal = this.#channels.size + 1
    const { name, uuid, settings, last_active: at, removals } = record
    this.#channels.set(name, {
      ...{ lastActive: at, lostThrough: record.lost_through, oldest: null },
      webhookSeq: record.webhook_seq,
    })
    this.#lines.add(['c', name, uuid, settings, at, ordinal])
    for (const [who, floor] of removals) this.#lines.add(['f', name, who, floor])
  }

  #addEvent({ channel: name, n, at, in: where, body, delivery }: ChannelEventRecord): void {
    const channel = this.#channels.get(name)
    if (where !== 'replay' && channel) channel.oldest ??= n
    this.#lines.add(['e', name, n, at, PLACES[where], body, keptDelivery(deliveryOf(delivery))])
  }
}

import { channelEvents } from '../snapshot/channel-events.ts'
import { deliveryRecord } from '../snapshot/records.ts'
import { Directory } from './directory.ts'
import { holdDirectory } from './holder.ts'
import { OPENED } from './lines.ts'
import { load, lostThroughOf } from './load.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { TimedEvent } from '../snapshot/channel-events.ts'
import type { ChannelRecord, Item } from '../snapshot/records.ts'
import type { OpenContent } from '../snapshot/snapshot.ts'
import type { StoredEvent } from '../store.ts'
import type { EventList } from './event-list.ts'
import type { ChannelImage, Image } from './image.ts'

/**
 * Reads a data directory, and changes nothing in it. Rejects with `DataDirError` if a server uses it, or if it cannot be
 * read. `wallTime`: now, by the calendar.
 */
export async function openForExport(path: string, wallTime: number): Promise<OpenContent> {
  const hold = await holdDirectory(path)
  try {
    const loaded = load(new Directory(path))
    const { image } = loaded
    image.restarted({ wallTime, lostThrough: lostThroughOf(loaded) })
    const { facts } = image
    return {
      facts: {
        taken_at: wallTime,
        epoch: image.epoch,
        head: facts.head,
        forgotten_through: facts.forgottenThrough,
        messages: facts.messages,
        deliveries: facts.deliveries,
        newest_webhook: facts.newestQueued,
      },
      items: itemsOf(image, wallTime),
      waitingForWebhooks: waitingIn(image),
      release: () => hold.release(),
    }
  } catch (error) {
    await hold.release()
    throw error
  }
}

function waitingIn({ queued, oldestQueued, endpoints }: Image): number {
  const from = Math.min(...[...endpoints.values()].map(({ at }) => at))
  return [...queued.keys()].filter((n) => n >= oldestQueued && n > from).length
}

function* itemsOf(image: Image, wallTime: number): Generator<Item, void> {
  /** By the calendar: the time in which no server was running counts for the age of events. */
  const offset = wallTime - image.facts.now - image.downMs
  for (const [name, { uuid, state, publicKeys, lostThrough, webhookSeq }] of image.users)
    yield {
      ...{ type: 'user', name, uuid, state, public_keys: [...publicKeys] },
      ...{ lost_through: lostThrough, webhook_seq: webhookSeq },
    }
  const inOrder = [...image.channels].sort(([, one], [, other]) => one.ordinal - other.ordinal)
  for (const [name, channel] of inOrder) {
    yield channelRecord(name, channel)
    yield* eventsOf(name, channel, offset)
  }
  yield* privateEventsOf(image)
  for (const [id, { user, cursor, opened, since }] of image.connections) {
    const channels: [ChannelRecord['name'], number][] = []
    for (let place = 0; place + 1 < since.length; place += 2)
      channels.push([since[place] as ChannelRecord['name'], since[place + 1] as number])
    yield { type: 'connection', id, user, cursor, opened: opened === OPENED, channels }
  }
  for (const [key, due] of image.onceKeys)
    if (due > image.facts.now)
      yield { type: 'published_key', key, time_left: due - image.facts.now }
}

const channelRecord = (name: ChannelRecord['name'], channel: ChannelImage): ChannelRecord => ({
  ...{ type: 'channel', name, uuid: channel.uuid, settings: channel.settings },
  ...{ last_active: channel.lastActive, lost_through: channel.lostThrough },
  webhook_seq: channel.webhookSeq,
  removals: [...channel.floors].map(([who, floor]) => [who, floor === Infinity ? null : floor]),
})

function* eventsOf(
  channel: ChannelRecord['name'],
  { history, frames, oldest, lostThrough }: ChannelImage,
  offset: number,
): Generator<Item, void> {
  const timed = ({ events, times }: ReturnType<EventList['from']>): TimedEvent[] =>
    events.map((event, place) => {
      const at = Math.max(0, Math.round((times[place] as number) + offset))
      return { event, at }
    })
  yield* channelEvents(
    channel,
    timed(history.from(oldest ?? Infinity)),
    timed(frames.from(lostThrough + 1)),
  )
}

/** Each event once for all who have the same, in the order of their numbers. */
function* privateEventsOf({ users }: Image): Generator<Item, void> {
  const holders = new Map<StoredEvent, UserName[]>()
  for (const [name, { frames, lostThrough }] of users)
    for (const event of frames?.values() ?? [])
      if (event.n > lostThrough) {
        const names = holders.get(event)
        if (names) names.push(name)
        else holders.set(event, [name])
      }
  const inOrder = [...holders].sort(([one], [other]) => one.n - other.n)
  for (const [{ n, body, delivery }, names] of inOrder)
    yield {
      ...{ type: 'private_event', n, users: names, body },
      delivery: deliveryRecord({ ...delivery, pmUsers: [] }),
    }
}

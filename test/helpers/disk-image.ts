import { Directory } from '../../src/store/disk/directory.ts'
import { OPENED, STREAMING } from '../../src/store/disk/lines.ts'
import { load } from '../../src/store/disk/load.ts'
import type { UserName } from '../../src/protocol/ids.ts'
import type { EventList } from '../../src/store/disk/event-list.ts'
import type { Image } from '../../src/store/disk/image.ts'
import type { StoredEvent } from '../../src/store/store.ts'

/** What the files of a directory say, without what no longer counts, and in an order that does not depend on history. */
export function factsOnDisk(directory: string): unknown {
  return factsIn(load(new Directory(directory)).image)
}

function factsIn(image: Image): unknown {
  const { facts, users, connections, channels, queued, oldestQueued, downMs } = image
  return {
    ...facts,
    wallTime: 0,
    // A message that reaches nobody is counted, and that alone is not worth a commit.
    messages: 0,
    users: sorted(users, ({ frames, lostThrough, ...user }, name) => ({
      ...{ ...user, lostThrough },
      frames: sorted(frames ?? NOTHING, (event) => receivedBy(name, event), lostThrough + 1),
    })),
    connections: sorted(connections, ({ user, cursor, opened, since }) => ({
      user,
      cursor,
      opened,
      since,
    })),
    channels: sorted(channels, ({ history, frames, floors, oldest, lostThrough, ...channel }) => ({
      ...{ ...channel, oldest, lostThrough },
      floors: [...floors],
      history: eventsIn(history, oldest ?? Infinity, downMs),
      frames: eventsIn(frames, lostThrough + 1, downMs),
    })),
    queued: sorted(queued, (event) => event, oldestQueued),
    endpoints: sorted(image.endpoints, (endpoint) => endpoint),
    answers: [...image.answers],
    onceKeys: [...image.onceKeys],
    sessions: [...image.sessions].map(([name, due]) => [name, due - downMs]),
  }
}

const NOTHING = new Map<number, StoredEvent>()

/** A private event without its other receivers: a state names those who still have it, and nobody reads the others. */
function receivedBy(user: UserName, { delivery, ...event }: StoredEvent): unknown {
  return { ...event, delivery: { ...delivery, pmUsers: delivery.pmUsers.includes(user) } }
}

function eventsIn(list: EventList, first: number, downMs: number): unknown[] {
  const { events, times } = list.from(first)
  return events.map(({ n, id, body, delivery }, index) => {
    return { n, id, body, delivery, at: (times[index] as number) - downMs }
  })
}

function sorted<Key extends string | number, Value>(
  map: ReadonlyMap<Key, Value>,
  show: (value: Value, key: Key) => unknown,
  least?: number,
): [Key, unknown][] {
  const isKept = ([key]: [Key, Value]): boolean => least === undefined || Number(key) >= least
  return [...map]
    .filter(isKept)
    .map(([key, value]): [Key, unknown] => [key, show(value, key)])
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

/** The same facts after a restart: nobody has a stream open, and nothing is known of what it was sent. */
export function afterRestart(facts: unknown): unknown {
  const { head, connections, ...rest } = facts as {
    head: number
    connections: [string, { opened: number; cursor: number }][]
  }
  const waiting = connections.map(([id, connection]) => {
    const wasStreaming = connection.opened === STREAMING
    return [id, wasStreaming ? { ...connection, opened: OPENED, cursor: head } : connection]
  })
  return { ...rest, head, connections: waiting }
}

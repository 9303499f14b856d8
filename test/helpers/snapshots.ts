import { Readable } from 'node:stream'
import { readSnapshot, writeSnapshot } from '../../src/store/snapshot/snapshot.ts'
import type { Item } from '../../src/store/snapshot/records.ts'
import type { Content, Facts, OpenContent } from '../../src/store/snapshot/snapshot.ts'

/** Returns what `export` writes, line by line. */
export async function linesOf(opening: Promise<OpenContent>): Promise<string[]> {
  const content = await opening
  try {
    const lines: string[] = []
    for await (const line of writeSnapshot(content)) lines.push(line)
    return lines
  } finally {
    await content.release()
  }
}

/** What `import` reads. */
export function contentOf(lines: readonly string[]): Promise<Content> {
  const bytes = Buffer.from(lines.join(''))
  // They end neither where lines end nor where characters end.
  const count = Math.ceil(bytes.length / 1000)
  const parts = Array.from({ length: count }, (_, part) =>
    bytes.subarray(part * 1000, (part + 1) * 1000),
  )
  return readSnapshot(Readable.from(parts))
}

/** What two stores with the same content agree about, whatever they are. */
export async function comparable(lines: readonly string[]): Promise<unknown> {
  const { facts, items } = await contentOf(lines)
  const found: Item[] = []
  for await (const item of items) found.push(item)
  const of = <Type extends Item['type']>(type: Type): Extract<Item, { type: Type }>[] =>
    found.filter((item): item is Extract<Item, { type: Type }> => item.type === type)
  const ttls = new Map(of('channel').map(({ name, settings }) => [name, settings.history_ttl]))
  return {
    facts: { ...facts, taken_at: 0 } satisfies Facts,
    users: sortedBy(of('user'), ({ name }) => name),
    // In the order of their creation.
    channels: of('channel').map(({ removals, ...channel }) => ({
      ...channel,
      // In the order of the removals, which is the order in which they are forgotten.
      out: removals.filter(([, floor]) => floor === null),
      in: sortedBy(
        removals.filter(([, floor]) => floor !== null),
        ([who]) => who,
      ),
    })),
    events: of('event').map((event) => {
      // Redis keeps the times of these only where they matter.
      const isTimed = event.in !== 'replay' || ttls.get(event.channel) !== 0
      return isTimed ? event : { ...event, at: 0 }
    }),
    // Some stores keep a private event for each user.
    private: sortedBy(
      of('private_event').flatMap(({ users, ...event }) =>
        users.map((user) => ({ ...event, user })),
      ),
      ({ user, n }) => `${user} ${n}`,
    ),
    connections: sortedBy(
      of('connection').map(({ channels, ...connection }) => ({
        ...connection,
        channels: sortedBy(channels, ([name]) => name),
      })),
      ({ id }) => id,
    ),
    keys: sortedBy(of('published_key'), ({ key }) => key),
  }
}

const sortedBy = <Value>(values: readonly Value[], key: (value: Value) => string): Value[] =>
  [...values].sort((one, other) => (key(one) < key(other) ? -1 : 1))

/** Arguments and replies of `missed.lua`. */
import { chunksOf } from '../../lib/chunks.ts'
import { isChannelTopic, nameInTopic } from '../store.ts'
import { readEvent, readPrivate } from './encoding.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { Missed, Since, StoredEvent, Topic } from '../store.ts'

/** Topics per command. A script blocks Redis, so it has to be short. */
const AT_ONCE = 100

export type MissedReply = readonly [
  ...[head: number, found: readonly FoundReply[]],
  ...[gaps: readonly number[], lost: readonly number[], through: number],
]
type FoundReply = readonly [place: number, ...events: string[]]

export interface MissedByTopic extends Missed {
  /** The topics of each event, by its number. */
  readonly topics: ReadonlyMap<number, readonly Topic[]>
}

/** Returns at least one chunk, possibly empty, because the head is always read. */
export const sinceChunksOf = (since: readonly Since[]): (readonly Since[])[] =>
  since.length === 0 ? [[]] : chunksOf(since, AT_ONCE)

export const writeSince = (since: readonly Since[], enough = 0): (string | number)[] => [
  ...[enough, since.length],
  ...since.flatMap(({ topic, after }) => {
    const kind = isChannelTopic(topic) ? 'c' : 'u'
    return [kind, nameInTopic(topic), after]
  }),
]

/** Combines the replies to all chunks, in their order. */
export function readMissed(
  since: readonly Since[],
  replies: readonly MissedReply[],
  epoch: string,
): MissedByTopic {
  const topicAt = (chunk: number, place: number) => (since[chunk * AT_ONCE + place] as Since).topic
  const topics = new Map<number, Topic[]>()
  const texts = new Map<number, string>()
  for (const [chunk, [, found]] of replies.entries())
    for (const [place, ...events] of found)
      for (const text of events) {
        const n = parseInt(text)
        texts.set(n, text)
        const known = topics.get(n)
        if (known) known.push(topicAt(chunk, place))
        else topics.set(n, [topicAt(chunk, place)])
      }
  const head = Math.min(...replies.map(([number]) => number))
  const ends = replies.flatMap(([number, , , , through]) => (through < number ? [through] : []))
  const last = Math.min(...ends)
  const numbers = [...texts.keys()].filter((n) => n <= last).sort((one, other) => one - other)
  const events = numbers.map((n) => readForTopics(topics.get(n) ?? [], texts.get(n) ?? '', epoch))
  const lost = new Map(
    replies.flatMap(([, , places, numbers], chunk) =>
      places.map((place, index) => [topicAt(chunk, place), numbers[index] ?? 0] as const),
    ),
  )
  return { events, gaps: [...lost.keys()], head, through: Math.min(head, last), topics, lost }
}

/** An event is either on the topic of a channel, or on topics of users. */
const readForTopics = (topics: readonly Topic[], text: string, epoch: string): StoredEvent =>
  topics.some(isChannelTopic)
    ? readEvent(text, epoch)
    : readPrivate(text, epoch, topics.map(nameInTopic) as UserName[])

import { writeJson } from '../../protocol/exact-numbers.ts'
import { deliveryRecord } from './records.ts'
import type { ChannelName } from '../../protocol/ids.ts'
import type { StoredEvent } from '../store.ts'
import type { ChannelEventRecord } from './records.ts'

export interface TimedEvent {
  readonly event: StoredEvent
  /** When it was published, by the calendar. */
  readonly at: number
}

/** Merges history and replay buffer of a channel by number. Most of their events are the same. */
export function* channelEvents(
  channel: ChannelName,
  history: Iterable<TimedEvent>,
  replayBuffer: readonly TimedEvent[],
): Generator<ChannelEventRecord, void> {
  const record = ({ event, at }: TimedEvent, where: ChannelEventRecord['in']) => {
    const { n, body, delivery } = event
    return {
      ...({ type: 'event', channel, n, at, in: where, body } as const),
      delivery: deliveryRecord(delivery),
    }
  }
  let next = 0
  for (const shown of history) {
    const { n } = shown.event
    for (let other; (other = replayBuffer[next]) && other.event.n < n; next++)
      yield record(other, 'replay')
    const other = replayBuffer[next]?.event
    const isSame = other?.n === n && isSameEvent(other, shown.event)
    if (isSame) next++
    yield record(shown, isSame ? 'both' : 'history')
  }
  for (const other of replayBuffer.slice(next)) yield record(other, 'replay')
}

const isSameEvent = (one: StoredEvent, other: StoredEvent): boolean =>
  one === other || writeJson([one.body, one.delivery]) === writeJson([other.body, other.delivery])

import type { Traffic } from '../core/hub-options.ts'
import type { Clock } from '../lib/clock.ts'
import type { Reading } from '../protocol/admin.ts'
import type { Figures } from '../store/store.ts'
import type { DelayMeter } from './event-loop.ts'

export interface ReadingsDeps {
  traffic(): Traffic
  /** Rejects if the store does not answer. */
  figures(): Promise<Figures>
  memoryBytes(): number
}

/** Totals that only grow; they are reported as rates per second. */
interface Counters {
  readonly at: number
  readonly messages: number
  readonly events: number
  readonly bytes: number
}

/** Reads the figures of the server. Rates are since the previous reading, and 0 in the first. */
export class Readings {
  #before: Counters | undefined

  constructor(
    private readonly deps: ReadingsDeps,
    private readonly clock: Clock,
    private readonly delay: DelayMeter,
  ) {}

  /** Rejects if the store does not answer. */
  async take(): Promise<Reading> {
    const figures = await this.deps.figures()
    const traffic = this.deps.traffic()
    const { events, bytes } = traffic
    const perSecond = this.#rates({
      at: this.clock.now(),
      messages: figures.messages,
      events,
      bytes,
    })
    return {
      users: figures.users,
      connected_users: figures.connectedUsers,
      connections: figures.connections,
      open_connections: traffic.connections,
      guests: traffic.guests,
      channels: figures.channels,
      messages_per_second: perSecond('messages'),
      events_per_second: perSecond('events'),
      bytes_per_second: perSecond('bytes'),
      held_bytes: traffic.heldBytes,
      memory_bytes: this.deps.memoryBytes(),
      event_loop_delay_ms: rounded(this.delay.read()),
    }
  }

  stop(): void {
    this.delay.stop()
  }

  #rates(now: Counters): (counter: 'messages' | 'events' | 'bytes') => number {
    const before = this.#before ?? now
    this.#before = now
    const seconds = (now.at - before.at) / 1000
    // The counters of a store that lost its memory start again at 0.
    return (counter) =>
      seconds > 0 ? rounded(Math.max(0, now[counter] - before[counter]) / seconds) : 0
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100

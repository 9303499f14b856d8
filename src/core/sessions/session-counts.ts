import type { SinkKind } from '../../store/store.ts'
import type { OutgoingEvent } from '../delivery/outgoing-event.ts'

/** What clients have opened on this server since its start. */
export interface SessionFigures {
  readonly opened: Readonly<Record<SinkKind, number>>
  /** Streams of clients that came back. */
  readonly resumed: number
  /** Events that clients got on opening, because they had missed them, or because the events came meanwhile. */
  readonly caughtUp: number
  /** How many were told that events are lost. */
  readonly gaps: Readonly<Record<SinkKind, number>>
}

export class SessionCounts {
  readonly #opened: Record<SinkKind, number> = { stream: 0, poll: 0 }
  #resumed = 0
  #caughtUp = 0
  readonly #gaps: Record<SinkKind, number> = { stream: 0, poll: 0 }

  /** `events`: what the client gets on opening. */
  note(kind: SinkKind, isReturning: boolean, events: readonly OutgoingEvent[]): void {
    this.#opened[kind]++
    const hasGap = events[0]?.body.type === 'gap'
    if (hasGap) this.#gaps[kind]++
    // Each poll comes back.
    if (isReturning && kind === 'stream') this.#resumed++
    this.#caughtUp += events.length - (hasGap ? 1 : 0)
  }

  view(): SessionFigures {
    const [opened, gaps] = [{ ...this.#opened }, { ...this.#gaps }]
    return { opened, resumed: this.#resumed, caughtUp: this.#caughtUp, gaps }
  }
}

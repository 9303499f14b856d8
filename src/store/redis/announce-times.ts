import { Histogram, SECONDS } from '../../lib/histogram.ts'
import type { Clock } from '../../lib/clock.ts'
import type { HistogramView } from '../../lib/histogram.ts'

/** Publications that may wait at a time. Further ones are not measured. */
const MAX_WAITING = 1000
/** An event that was not announced by then never will be: its channel is unknown, or Redis lost it. */
const MAX_WAIT_MS = 60_000

/**
 * Measures the time from a publish on this server to the announcement of its event, which comes back through Redis. Both
 * ends are here, so one clock measures it. Only events that this server listens to come back.
 */
export class AnnounceTimes {
  readonly #seconds = new Histogram(SECONDS)
  /** When each publication was sent, by the uuid of its event, oldest first. */
  readonly #sent = new Map<string, number>()

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** To be called before the publication is sent. The times of two with one uuid cannot be told apart: the first counts. */
  sent(uuid: string): void {
    const now = this.clock.now()
    for (const [old, at] of this.#sent) {
      if (now - at < MAX_WAIT_MS) break
      this.#sent.delete(old)
    }
    if (this.#sent.size < MAX_WAITING && !this.#sent.has(uuid)) this.#sent.set(uuid, now)
  }

  /** The publication was refused, or its outcome is unknown. */
  forget(uuid: string): void {
    this.#sent.delete(uuid)
  }

  /** To be called for each announced event, of whatever server. */
  announced(uuid: string): void {
    if (this.#sent.size === 0) return
    const at = this.#sent.get(uuid)
    if (at === undefined) return
    this.#sent.delete(uuid)
    this.#seconds.note((this.clock.now() - at) / 1000)
  }

  view(): HistogramView {
    return this.#seconds.view()
  }
}

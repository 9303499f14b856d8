import type { Cancel, Clock } from './clock.ts'

const LOG_INTERVAL_MS = 60_000

interface Tally {
  total: number
  logged: number
  /** Set during the minute after a log line, in which nothing is logged. */
  cancel: Cancel | undefined
  /** Of the last refusal. */
  details: object
}

/**
 * Counts refusals by reason. The first refusal for each reason is logged at once. While more follow, one line per minute
 * logs their number and the details of the last one.
 */
export class RefusalLog<Reason extends string> {
  readonly #tallies: ReadonlyMap<Reason, Tally>

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly log: { warn(details: object, message: string): void },
    /** The message for each reason. */
    private readonly messages: Readonly<Record<Reason, string>>,
  ) {
    const reasons = Object.keys(messages) as Reason[]
    this.#tallies = new Map(
      reasons.map((reason) => [reason, { total: 0, logged: 0, cancel: undefined, details: {} }]),
    )
  }

  get counts(): Readonly<Record<Reason, number>> {
    const entries = [...this.#tallies].map(([reason, { total }]) => [reason, total])
    return Object.fromEntries(entries) as Record<Reason, number>
  }

  note(reason: Reason, details: object = {}): void {
    const tally = this.#tallies.get(reason)
    if (!tally) return
    tally.total++
    tally.details = details
    if (!tally.cancel) this.#report(reason, tally)
  }

  /** Logs the refusals that are not logged yet. */
  stop(): void {
    for (const [reason, tally] of this.#tallies) {
      tally.cancel?.()
      tally.cancel = undefined
      this.#log(reason, tally)
    }
  }

  #report(reason: Reason, tally: Tally): void {
    tally.cancel = this.#log(reason, tally)
      ? this.clock.after(LOG_INTERVAL_MS, () => this.#report(reason, tally))
      : undefined
  }

  /** Returns false if there is nothing new. */
  #log(reason: Reason, tally: Tally): boolean {
    const refused = tally.total - tally.logged
    if (refused === 0) return false
    tally.logged = tally.total
    this.log.warn({ reason, refused, ...tally.details }, this.messages[reason])
    return true
  }
}

import type { Cancel, Clock } from '../lib/clock.ts'

/** The reasons for refusing sockets. They are the values of the label `reason` in `/metrics`. */
export const REFUSALS = ['total', 'open_files', 'address', 'rate'] as const
export type Refusal = (typeof REFUSALS)[number]
export type RefusalCounts = Readonly<Record<Refusal, number>>

/** The part of a logger that is used here, with pino's order of arguments. */
export interface NetLog {
  debug(details: object, message: string): void
  info(message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const LOG_INTERVAL_MS = 60_000

const MESSAGES: Readonly<Record<Refusal, string>> = {
  total: 'sockets are refused: max_sockets is reached',
  open_files:
    'sockets are refused: the limit of open files leaves no room for more. Raise it (ulimit -n, LimitNOFILE)',
  address: 'sockets are refused: an address has max_sockets_per_address',
  rate: 'sockets are refused: more than max_new_sockets_per_second are opened',
}

interface Tally {
  total: number
  logged: number
  /** Set during the minute after a log line, in which nothing is logged. */
  cancel: Cancel | undefined
  address: string | undefined
}

/**
 * Counts refused sockets. The first refusal for each reason is logged at once. While more follow, one line per minute
 * logs their number and the address of the last one.
 */
export class Refusals {
  readonly #tallies = new Map<Refusal, Tally>(
    REFUSALS.map((reason) => [
      reason,
      { total: 0, logged: 0, cancel: undefined, address: undefined },
    ]),
  )

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly log: Pick<NetLog, 'warn'>,
  ) {}

  get counts(): RefusalCounts {
    const entries = REFUSALS.map((reason) => [reason, this.#tallies.get(reason)?.total ?? 0])
    return Object.fromEntries(entries) as RefusalCounts
  }

  note(reason: Refusal, address?: string): void {
    const tally = this.#tallies.get(reason)
    if (!tally) return
    tally.total++
    tally.address = address
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

  #report(reason: Refusal, tally: Tally): void {
    tally.cancel = this.#log(reason, tally)
      ? this.clock.after(LOG_INTERVAL_MS, () => this.#report(reason, tally))
      : undefined
  }

  /** Returns false if there is nothing new. */
  #log(reason: Refusal, tally: Tally): boolean {
    const refused = tally.total - tally.logged
    if (refused === 0) return false
    tally.logged = tally.total
    const { address } = tally
    this.log.warn({ reason, refused, ...(address !== undefined && { address }) }, MESSAGES[reason])
    return true
  }
}

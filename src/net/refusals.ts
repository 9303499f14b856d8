import { RefusalLog } from '../lib/refusal-log.ts'
import type { Clock } from '../lib/clock.ts'

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

const MESSAGES: Readonly<Record<Refusal, string>> = {
  total: 'sockets are refused: max_sockets is reached',
  open_files:
    'sockets are refused: the limit of open files leaves no room for more. Raise it (ulimit -n, LimitNOFILE)',
  address: 'sockets are refused: an address has max_sockets_per_address',
  rate: 'sockets are refused: more than max_new_sockets_per_second are opened',
}

/** Counts refused sockets and logs them. */
export class Refusals {
  readonly #log: RefusalLog<Refusal>

  constructor(clock: Pick<Clock, 'after'>, log: Pick<NetLog, 'warn'>) {
    this.#log = new RefusalLog(clock, log, MESSAGES)
  }

  get counts(): RefusalCounts {
    return this.#log.counts
  }

  note(reason: Refusal, address?: string): void {
    this.#log.note(reason, address === undefined ? {} : { address })
  }

  /** Logs the refusals that are not logged yet. */
  stop(): void {
    this.#log.stop()
  }
}

import { CLOSE } from '../protocol/close-codes.ts'
import { Tally } from '../telemetry/samples.ts'
import type { Sample } from '../telemetry/samples.ts'

export type Transport = 'websocket' | 'event_stream' | 'philote'

/** No close code: the network broke, or the client of an event stream went away. As `ws` reports it. */
export const NO_CODE = 1006

/** Clients may send thousands of other codes, each of which would be another time series. */
const KNOWN = new Set([
  ...Object.values(CLOSE).map(({ code }) => code),
  ...[1001, 1002, 1003, 1005, NO_CODE, 1007, 1009, 1011],
])

/** Counts how streams end, by transport and close code. */
export class Closings {
  readonly #tally = new Tally()

  note(transport: Transport, code: number): void {
    this.#tally.note({ transport, code: KNOWN.has(code) ? String(code) : 'other' })
  }

  samples(): Sample[] {
    return this.#tally.samples()
  }
}

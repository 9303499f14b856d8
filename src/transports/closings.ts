import { Tally } from '../lib/tally.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { BROKE_OFF } from './frame-socket.ts'
import type { Sample } from '../lib/tally.ts'

export type Transport = 'websocket' | 'event_stream' | 'philote'

/** Clients may send thousands of other codes, each of which would be another time series. */
const KNOWN = new Set([
  ...Object.values(CLOSE).map(({ code }) => code),
  ...[1001, 1002, 1003, 1005, BROKE_OFF, 1007, 1009, 1011],
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

import { CLOSE, comingBackAfter } from '../../protocol/close-codes.ts'
import { Guest } from '../delivery/guest.ts'
import type { Clock } from '../../lib/clock.ts'
import type { LiveConnection } from '../delivery/connection.ts'
import type { Registry } from '../delivery/registry.ts'
import type { Guests } from './guests.ts'
import type { Sessions } from './sessions.ts'

/** A server that starts again needs some time. */
const EARLIEST_RETURN_MS = 500
/** Clients come back over so long: at least this, a millisecond for each client, and at most this. */
const RETURNS = { leastMs: 1_000, perClientMs: 1, mostMs: 6_000 }
/** Closing one takes less than this on a slow machine. */
const PER_CLOSE_MS = 1
const TICK_MS = 20

interface DepartureDeps {
  readonly clock: Clock
  readonly registry: Registry
  readonly sessions: Sessions
  readonly guests: Guests
}

/**
 * Closes the sinks of all clients because the server stops. Tells each client when to come back, evenly spread, so that
 * the server that they come back to does not have all of them at once.
 *
 * `overMs`: closes them over this time at most, because clients that come back to another server at once, whatever this
 * one says, should not all do so at the same moment.
 */
export function sendAway(
  { clock, registry, sessions, guests }: DepartureDeps,
  overMs: number,
): void {
  sessions.closing = CLOSE.stopping
  const leaving = [...registry.all(), ...registry.guests.values()]
  const { leastMs, perClientMs, mostMs } = RETURNS
  const spreadMs = Math.min(Math.max(leaving.length * perClientMs, leastMs), mostMs)
  let done = 0
  const closeNext = (): void => {
    const connection = leaving[done] as LiveConnection
    const reason = comingBackAfter(
      CLOSE.stopping,
      EARLIEST_RETURN_MS + (spreadMs * done++) / leaving.length,
    )
    if (connection instanceof Guest) guests.expel(connection, reason)
    else if (registry.get(connection.id) === connection) sessions.expel(connection, reason)
  }
  const inMs = Math.min(overMs, leaving.length * PER_CLOSE_MS)
  const perTick = inMs < TICK_MS ? Infinity : Math.ceil(leaving.length / (inMs / TICK_MS))
  const tick = (): void => {
    const end = Math.min(done + perTick, leaving.length)
    while (done < end) closeNext()
    if (done < leaving.length) clock.after(TICK_MS, tick)
  }
  tick()
}

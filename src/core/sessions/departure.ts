import { CLOSE, comingBackAfter } from '../../protocol/close-codes.ts'
import { Guest } from '../delivery/guest.ts'
import type { Clock } from '../../lib/clock.ts'
import type { LiveConnection } from '../delivery/connection.ts'
import type { Registry } from '../delivery/registry.ts'
import type { HubOptions } from '../hub-options.ts'
import type { Guests } from './guests.ts'
import type { Sessions } from './sessions.ts'

/** Before this time nobody comes back. A new process takes about as long to load the program. */
const EARLIEST_RETURN_MS = 500
/** Over how long clients come back: a millisecond for each, within these limits. */
const RETURNS = { leastMs: 1_000, perClientMs: 1, mostMs: 8_000 }
/** How long the server waits for clients to close, about and at most. */
const CLOSING = { perClientMs: 0.2, mostMs: 2_000 }
const LONGEST_START_MS = 10_000
/** By this part of `resume_window` the last client should be back, if it comes back to another server. */
const RESUME_SHARE = 0.5
/** Closing one takes less than this on a slow machine. */
const PER_CLOSE_MS = 1
const TICK_MS = 20

interface DepartureDeps {
  readonly clock: Clock
  readonly registry: Registry
  readonly sessions: Sessions
  readonly guests: Guests
}

export interface Absence {
  /**
   * Closes them over this time at most, because clients that come back to another server at once, whatever this one says,
   * should not all do so at the same moment.
   */
  readonly overMs: number
  /** How long this server takes to start, if clients have to wait for it. 0: others serve them. */
  readonly startMs: number
  /** How long other servers keep the connections for their clients. */
  readonly resumeWindowMs: number
}

/**
 * Closes the sinks of all clients because the server stops. Tells each client when to come back, evenly spread, so that
 * the server that they come back to does not have all of them at once. Clients that come before it listens are refused, and
 * then come back at about the same time.
 */
export function sendAway(
  { clock, registry, sessions, guests }: DepartureDeps,
  { overMs, startMs, resumeWindowMs }: Absence,
): void {
  sessions.closing = CLOSE.stopping
  const leaving = [...registry.all(), ...registry.guests.values()]
  const { leastMs, perClientMs, mostMs } = RETURNS
  // A single server counts the window from its next start.
  const latestMs = startMs === 0 ? resumeWindowMs * RESUME_SHARE : Infinity
  const spreadMs = Math.min(Math.max(leaving.length * perClientMs, leastMs), mostMs, latestMs)
  const closingMs = Math.min(leaving.length * CLOSING.perClientMs, CLOSING.mostMs)
  const absentMs = startMs === 0 ? 0 : closingMs + Math.min(startMs, LONGEST_START_MS)
  let done = 0
  const closeNext = (): void => {
    const connection = leaving[done] as LiveConnection
    const reason = comingBackAfter(
      CLOSE.stopping,
      EARLIEST_RETURN_MS + absentMs + (spreadMs * done++) / leaving.length,
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

/** Closes all clients that `sendAway` has not closed yet. */
export function closeAll({ sessions, guests }: Pick<DepartureDeps, 'sessions' | 'guests'>): void {
  sessions.closeAll(CLOSE.stopping)
  guests.closeAll(CLOSE.stopping)
}

/** Closes a client that does not read what waits for it, after a report. */
export function expelSlowClient(
  { sessions, guests }: Pick<DepartureDeps, 'sessions' | 'guests'>,
  connection: LiveConnection,
  onSlowClient: HubOptions['onSlowClient'],
): void {
  const { id, user, pending } = connection
  const isGuest = connection instanceof Guest
  onSlowClient?.({ user, connId: isGuest ? null : id, waitingBytes: pending.size })
  if (isGuest) guests.expel(connection, CLOSE.slowReader)
  else sessions.expel(connection, CLOSE.slowReader)
}

/**
 * Handles errors that no other code catches. Why: docs/decisions/0035-the-last-net.md.
 *
 * Only for a process that is the server. A program that embeds a server decides for itself.
 */
import { endProcess } from '../telemetry/standard-streams.ts'
import type { Faults } from '../telemetry/faults.ts'

/** Time to wait longer than the shutdown grace: after an exception, the shutdown may hang. */
const STOP_MARGIN_MS = 5000

export interface CatchFaultsDeps {
  readonly faults: Faults
  /** Shuts the server down gracefully, then ends the process with the exit code. */
  readonly stop: (exitCode: number) => void
  /** The maximum duration of the shutdown. */
  readonly graceMs: number
}

/**
 * After an unhandled rejection, logs it and keeps the server running: only the operation that waited for it has failed.
 *
 * After an uncaught exception, stops the server with exit code 1: the interrupted code may have left half-done work.
 */
export function catchFaults({ faults, stop, graceMs }: CatchFaultsDeps): void {
  process.on('unhandledRejection', (reason) => faults.rejected(reason))
  process.on('uncaughtException', (error) => {
    faults.uncaught(error)
    stop(1)
    setTimeout(() => endProcess(1), graceMs + STOP_MARGIN_MS).unref()
  })
  logWarnings(faults)
}

/**
 * Logs Node's warnings. Otherwise Node writes them to standard error as plain text, and blocks until they are written.
 */
function logWarnings(faults: Faults): void {
  const hasWarnings = process.listenerCount('warning') > 0 // false with --no-warnings
  if (!hasWarnings) return
  process.removeAllListeners('warning')
  process.on('warning', (warning) => faults.warned(warning))
}

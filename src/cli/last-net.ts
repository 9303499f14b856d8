/**
 * What no other code has caught. Why so: docs/decisions/0035-the-last-net.md.
 *
 * For a process that is a server and nothing else; a program that embeds one decides for itself.
 */
import { endProcess } from '../telemetry/standard-streams.ts'
import type { Faults } from '../telemetry/faults.ts'

/** Beyond the grace of the stop itself, which may hang after an exception. */
const STOP_MARGIN_MS = 5000

export interface Net {
  readonly faults: Faults
  /** Stops the server in order, then ends the process with the exit code. */
  readonly stop: (exitCode: number) => void
  /** How long that takes at most. */
  readonly graceMs: number
}

/**
 * Logs a rejected promise that nothing handles, and serves on: what waited for it has failed, and nothing else.
 *
 * Stops the server with exit code 1 after an exception that nothing caught: what it interrupted may be half done.
 */
export function catchFaults({ faults, stop, graceMs }: Net): void {
  process.on('unhandledRejection', (reason) => faults.rejected(reason))
  process.on('uncaughtException', (error) => {
    faults.uncaught(error)
    stop(1)
    setTimeout(() => endProcess(1), graceMs + STOP_MARGIN_MS).unref()
  })
  logWarnings(faults)
}

/** Node writes warnings to standard error by itself, as text, and waits until they are written. */
function logWarnings(faults: Faults): void {
  const areWanted = process.listenerCount('warning') > 0 // not with --no-warnings
  if (!areWanted) return
  process.removeAllListeners('warning')
  process.on('warning', (warning) => faults.warned(warning))
}

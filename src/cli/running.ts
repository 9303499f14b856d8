/** Shared code of commands that start a server. */
import { unixPathOf } from '../lib/unix-path.ts'
import { endProcess, standardError, standardOutput } from '../telemetry/standard-streams.ts'
import type { StopSignals } from './stop-signals.ts'

export { endProcess }

/** Each call writes one line. */
export interface Output {
  /** Writes to standard output. */
  readonly print: (sentence: string) => void
  /** Writes to standard error. */
  readonly printError: (sentence: string) => void
}

/** What a command that starts a server needs from the process. */
export interface ServeContext extends Output {
  readonly signals: StopSignals
}

/** Returns how people reach the pages of a server that listens there: their urls without the path, or a socket. */
export function shownBase(host: string, port: number): { base: string; remark: string } {
  if (unixPathOf(host) !== undefined) return { base: host, remark: '' }
  const { authority, remark } = shownAddress(host, port)
  return { base: `http://${authority}`, remark }
}

/** Returns an address that works on this machine, and a remark if the server listens on all addresses. */
export function shownAddress(host: string, port: number): { authority: string; remark: string } {
  const shown = ['0.0.0.0', '::', ''].includes(host) ? '127.0.0.1' : host
  return {
    authority: `${shown.includes(':') ? `[${shown}]` : shown}:${port}`,
    remark: shown === host ? '' : ` (${host}: every address)`,
  }
}

/** Returns an output that never blocks and never fails. */
export const serverOutput = (): Output => ({
  print: (sentence) => standardOutput().write(`${sentence}\n`),
  printError: (sentence) => standardError().write(`${sentence}\n`),
})

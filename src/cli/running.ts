/** What commands share that start a server. */
import { endProcess, standardError, standardOutput } from '../telemetry/standard-streams.ts'
import type { StopSignals } from './stop-signals.ts'

export { endProcess }

export interface Voice {
  /** To standard output. */
  readonly print: (sentence: string) => void
  /** To standard error. */
  readonly tell: (sentence: string) => void
}

/** What a command that serves needs of the process. */
export interface Serving extends Voice {
  readonly signals: StopSignals
}

/** Host and port for people who try it out on this machine, and what else there is to say of the host. */
export function shownAddress(host: string, port: number): { authority: string; remark: string } {
  const shown = ['0.0.0.0', '::', ''].includes(host) ? '127.0.0.1' : host
  return {
    authority: `${shown.includes(':') ? `[${shown}]` : shown}:${port}`,
    remark: shown === host ? '' : ` (${host}: every address)`,
  }
}

/** A voice that never blocks and never fails. */
export const serverVoice = (): Voice => ({
  print: (sentence) => standardOutput().write(`${sentence}\n`),
  tell: (sentence) => standardError().write(`${sentence}\n`),
})

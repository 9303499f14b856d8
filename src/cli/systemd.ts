/**
 * Reports the state of the server to systemd, for units with `Type=notify`.
 *
 * Source: sd_notify(3). The messages are datagrams on a Unix socket, which Node.js cannot send. The program
 * `systemd-notify`, a part of systemd, sends them.
 */
import { execFile } from 'node:child_process'
import type { FastifyBaseLogger } from 'fastify'

/** More than the 5 s for which `systemd-notify` waits until systemd has read the message. */
const REPORT_TIMEOUT_MS = 10_000
/** Node.js takes a longer interval for one of 1 ms. */
const MAX_INTERVAL_MS = 2 ** 31 - 1

type Environment = Readonly<Record<string, string | undefined>>

export interface SystemdDeps {
  /** The environment of the process, with what systemd has set. */
  readonly env: Environment
  readonly pid: number
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

/** Does nothing in a process that systemd does not wait for. */
export class Systemd {
  #isReporting = false
  #hasFailed = false

  constructor(private readonly deps: SystemdDeps) {}

  /** Reports that the server listens. From then on, reports at intervals that the event loop is not blocked. */
  ready(): void {
    const { env, pid } = this.deps
    this.#report('READY=1')
    const intervalMs = watchdogMs(env, pid) / 2
    if (intervalMs === 0) return
    const report = (): void => {
      if (!this.#isReporting) this.#report('WATCHDOG=1')
    }
    setInterval(report, Math.min(intervalMs, MAX_INTERVAL_MS)).unref()
  }

  /** Reports that the server begins to stop, even if another report is under way: the process may end very soon. */
  readonly stopping = (): void => this.#report('STOPPING=1')

  #report(message: string): void {
    const { NOTIFY_SOCKET, PATH } = this.deps.env
    if (!NOTIFY_SOCKET) return
    // The program needs no secrets of the server.
    const options = { env: { NOTIFY_SOCKET, PATH }, timeout: REPORT_TIMEOUT_MS }
    this.#isReporting = true
    try {
      execFile('systemd-notify', [message], options, (error) => this.#reported(error))
    } catch (error) {
      // Without memory for a process, for example.
      this.#reported(error)
    }
  }

  /** Logs the first error only. The server works without systemd. */
  #reported(error: unknown): void {
    this.#isReporting = false
    if (!error || this.#hasFailed) return
    this.#hasFailed = true
    this.deps.log.warn({ err: error }, 'systemd-notify failed: systemd may restart this server')
  }
}

/** Returns the time after which systemd restarts a server that reports nothing. 0: never. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, pid: number): number {
  const ms = Number(WATCHDOG_USEC ?? 0) / 1000
  const isForUs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid)
  return isForUs && ms > 0 ? ms : 0
}

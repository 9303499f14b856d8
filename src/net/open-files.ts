/** Reads how many files and sockets this process may open, and detects when it cannot open any more. */
import { close, open, readFileSync, readdirSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { NetLog } from './refusals.ts'

export interface OpenFiles {
  /** The soft limit. Node.js has raised it to the hard limit. */
  readonly limit: number
  readonly used: number
}

/** Reads limit and usage. Returns undefined if there is no limit, or if the system has no `/proc`. */
export function readOpenFiles(): OpenFiles | undefined {
  try {
    const [, limit] =
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    // Reading the directory opens a descriptor itself.
    const used = readdirSync('/proc/self/fd').length - 1
    return limit === undefined ? undefined : { limit: Number(limit), used }
  } catch {
    return undefined
  }
}

const PROBE_MS = 2_000
const LOG_INTERVAL_MS = 60_000

const MESSAGE =
  'no file descriptor is free: the system closes new connections at once, and nobody counts them. ' +
  'Raise the limit of open files (ulimit -n, LimitNOFILE) or lower max_sockets'

/**
 * Tries every two seconds to open a file. Without a free file descriptor, libuv closes new connections and does not
 * report it.
 */
export class FileProbe {
  #cancel: Cancel | undefined
  #loggedAt: number | undefined
  #isProbing = false

  constructor(
    private readonly clock: Pick<Clock, 'now' | 'every'>,
    private readonly log: Pick<NetLog, 'error' | 'info'>,
  ) {}

  /** Whether the last attempt failed. */
  get isExhausted(): boolean {
    return this.#loggedAt !== undefined
  }

  start(): void {
    this.#cancel ??= this.clock.every(PROBE_MS, () => this.#probe())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #probe(): void {
    if (this.#isProbing) return
    this.#isProbing = true
    open(devNull, 'r', (error, file) => {
      this.#isProbing = false
      if (!error) close(file)
      this.#found(error?.code)
    })
  }

  #found(code: string | undefined): void {
    const isExhausted = code === 'EMFILE' || code === 'ENFILE'
    if (!isExhausted && this.#loggedAt !== undefined) {
      this.#loggedAt = undefined
      this.log.info('file descriptors are free again: new connections are accepted')
    }
    if (!isExhausted) return
    const now = this.clock.now()
    if (this.#loggedAt !== undefined && now - this.#loggedAt < LOG_INTERVAL_MS) return
    this.#loggedAt = now
    this.log.error({ code }, MESSAGE)
  }
}

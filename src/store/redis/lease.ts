import { inBackground } from '../../lib/in-background.ts'
import { StoreUnavailable } from '../store.ts'
import type { Connection } from './connection.ts'
import type { ScriptRunner } from './script-runner.ts'
import type { SharedClock } from './shared-clock.ts'

export const BEAT_MS = 1000
/** A server without a beat for this long is presumed dead. */
export const LEASE_MS = 6000
/** A longer gap between two beats counts as an interruption. */
export const MAX_BEAT_GAP_MS = 3000

interface LeaseDeps {
  readonly runner: ScriptRunner
  readonly clock: SharedClock
  /** The calendar in milliseconds; 0 for that of Redis, which is the same for all servers. */
  readonly calendar: () => number
  /** Called when Redis does not answer any more, or rejects a beat. */
  readonly onFailure: (why: unknown) => void
  /** Called when other servers presumed this one dead although it is alive. */
  readonly onPresumedDead: () => void
  /** Resolves when everything that was announced before has been received. */
  readonly drainAnnouncements: () => Promise<void>
  readonly onHead: (head: number) => void
  /** How long Redis may take to answer. */
  readonly timeoutMs: number
  readonly onFault: (error: unknown) => void
}

const SLICES = 8

/**
 * Calls back after this many milliseconds, measured in slices. A busy process reads answers that have arrived between
 * two slices, so its own delay does not count as silence. Returns a function that cancels the call.
 */
export function afterSilence(ms: number, call: () => void): () => void {
  let left = SLICES
  let timer: NodeJS.Timeout
  const next = (): void => {
    timer = setTimeout(() => (--left > 0 ? next() : call()), ms / SLICES)
  }
  next()
  return () => clearTimeout(timer)
}

/** Renews the lease of this server every second, and notices when Redis does not answer. */
export class Lease {
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  /** In the installation's time: the last answered beat, and since when none was missing. */
  #lastBeat = 0
  #steadySince = 0

  constructor(private readonly deps: LeaseDeps) {}

  /** Arguments of `sweep`. */
  get steadiness(): readonly [last: number, steadySince: number] {
    return [this.#lastBeat, this.#steadySince]
  }

  /** Starts beats on a new connection. Renames the server if others presumed it dead meanwhile. */
  async begin(connection: Connection): Promise<void> {
    const { runner, calendar } = this.deps
    const wasKnown = this.#lastBeat > 0
    const isPresumedDead =
      wasKnown && !this.#noteReply(await runner.runOn(connection, 'beat', 0, calendar()))
    if (isPresumedDead) runner.rename()
    this.#noteReply(await runner.runOn(connection, 'beat', 1, calendar()))
    this.#schedule()
  }

  async end(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const cancel = this.#cutAfterSilence()
    try {
      await this.deps.runner.run('exit')
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error // else its lease runs out
    } finally {
      cancel()
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    const { onFault } = this.deps
    const beat = (): void => inBackground(this.#beat(), onFault)
    if (!this.#isStopped) this.#timer = setTimeout(beat, BEAT_MS).unref()
  }

  async #beat(): Promise<void> {
    const { runner, calendar, drainAnnouncements, onFailure, onPresumedDead, onHead } = this.deps
    const cancel = this.#cutAfterSilence()
    try {
      const reply = await runner.run('beat', 0, calendar())
      await drainAnnouncements()
      onHead((reply as readonly number[])[1] ?? 0)
      if (!this.#noteReply(reply)) onPresumedDead()
      this.#schedule()
    } catch (error) {
      // If Redis is unavailable, the reconnect starts the beats again. If Redis rejects a beat, it also rejects the
      // first one of a new connection, and the reconnect reports that.
      if (!(error instanceof StoreUnavailable)) onFailure(error)
    } finally {
      cancel()
    }
  }

  #cutAfterSilence(): () => void {
    const { onFailure, timeoutMs } = this.deps
    const silence = new Error(`no answer within ${timeoutMs} ms (redis_timeout)`)
    return afterSilence(timeoutMs, () => onFailure(silence))
  }

  #noteReply(reply: unknown): boolean {
    const [known, , now, calendar] = reply as readonly [number, number, number, number]
    this.deps.clock.note(now, calendar)
    if (now - this.#lastBeat > MAX_BEAT_GAP_MS) this.#steadySince = now
    this.#lastBeat = now
    return known === 1
  }
}

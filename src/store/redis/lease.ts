import { inBackground } from '../../lib/in-background.ts'
import { StoreUnavailable } from '../store.ts'
import type { Connection } from './connection.ts'
import type { ScriptRunner } from './script-runner.ts'
import type { SharedClock } from './shared-clock.ts'

export const BEAT_MS = 1000
/** A server that has not said for so long that it is alive is taken for dead. */
export const LEASE_MS = 6000
/** Beats that are further apart were interrupted. */
export const MAX_BEAT_GAP_MS = 3000

interface LeaseDeps {
  readonly runner: ScriptRunner
  readonly clock: SharedClock
  /** The calendar in milliseconds; 0 for Redis's own, which is the same for all servers. */
  readonly calendar: () => number
  /** Redis does not answer any more, or not what it should. */
  readonly onFailure: (why: unknown) => void
  /** Others took this server for dead, and it is not. */
  readonly onPresumedDead: () => void
  /** Resolves when everything has come that was announced before. */
  readonly drainAnnouncements: () => Promise<void>
  readonly onHead: (head: number) => void
  /** How long Redis may take to answer. */
  readonly timeoutMs: number
  readonly onFault: (error: unknown) => void
}

const SLICES = 8

/**
 * Calls when so many milliseconds have passed, in slices: an answer that came while this process was busy with something
 * else is read between two of them, and is not taken for silence. Answers what undoes it.
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

/** Tells the others that this server is alive, and notices when Redis is not. */
export class Lease {
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  /** By the installation's time: the last beat that it answered, and since when none was missing. */
  #lastBeat = 0
  #steadySince = 0

  constructor(private readonly deps: LeaseDeps) {}

  /** What `sweep` has to know. */
  get steadiness(): readonly [last: number, steadySince: number] {
    return [this.#lastBeat, this.#steadySince]
  }

  /** On a new connection. If others took this server for dead meanwhile it has another name now. */
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
      // The link has lost Redis, and begins again when it is back. Anything else that Redis has against a beat it has
      // against the first one of a new connection too, and the link tells it.
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

import { expect } from 'vitest'
import { within } from './http.ts'
import type { ServerProcess, StartOptions } from './process.ts'

const INSIDE = new URL('./turn-probe.mjs', import.meta.url).href

/** Start options of a server whose event-loop turns are measured. The other flags are those of `npm start`. */
export const PROBED = {
  nodeArgs: [
    '--max-semi-space-size=16',
    '--disable-warning=ExperimentalWarning', // caused by the clock of WASI
    `--import=${INSIDE}`,
  ],
  hasChannel: true,
} as const satisfies StartOptions

/**
 * The maximum CPU time of the main thread in one event-loop turn, for any input, since all others wait this long. For
 * a machine with `REFERENCE_MS`.
 */
export const LONGEST_TURN_MS = 50

/** The time of the reference work of the probe on such a machine when it is idle. */
const REFERENCE_MS = 4.9

/** The best of these tries counts, since other work on the machine makes turns longer, never shorter. */
const TRIES = 6
/** Includes waiting for a busy process to become quiet, see `turn-probe.mjs`. */
const PATIENCE_MS = 60_000

type Question = 'begin' | 'longest' | 'reference'

/** Measures the event-loop turns of a server that was started with `PROBED`. */
export class TurnProbe {
  #asked = 0
  readonly #waiting = new Map<number, (ms: number) => void>()

  constructor(private readonly server: Pick<ServerProcess, 'send' | 'onMessage'>) {
    server.onMessage((message) => {
      const { turnProbe, id, ms } = message as { turnProbe?: string; id: number; ms: number }
      if (turnProbe !== undefined) this.#waiting.get(id)?.(ms)
      this.#waiting.delete(id)
    })
  }

  /**
   * Resolves with the CPU time in milliseconds of the main thread in the longest event-loop turn that `work` causes,
   * until the server is quiet.
   */
  async longestTurnDuring(work: () => Promise<unknown>): Promise<number> {
    await this.#ask('begin')
    await work()
    return this.#ask('longest')
  }

  /** Resolves with how much slower the server currently is than the machine that limits are meant for. At least 1. */
  async slowness(): Promise<number> {
    return Math.max((await this.#ask('reference')) / REFERENCE_MS, 1)
  }

  /** Runs `work` several times. Fails if each run causes a turn longer than `LONGEST_TURN_MS`. */
  async expectShortTurns(what: string, work: () => Promise<unknown>): Promise<void> {
    const tries: string[] = []
    for (let left = TRIES; left > 0; left--) {
      const turn = await this.longestTurnDuring(work)
      if (turn <= LONGEST_TURN_MS) return
      const limit = LONGEST_TURN_MS * (await this.slowness())
      if (turn <= limit) return
      tries.push(`${turn.toFixed(1)} ms, where ${limit.toFixed(1)} ms would be right`)
    }
    expect.fail(`${what} held the event loop: ${tries.join('; ')}`)
  }

  #ask(turnProbe: Question): Promise<number> {
    const id = ++this.#asked
    const answer = new Promise<number>((resolve) => this.#waiting.set(id, resolve))
    this.server.send({ turnProbe, id })
    return within(answer, `the probe to tell ${turnProbe}`, PATIENCE_MS)
  }
}

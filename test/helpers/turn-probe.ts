import { expect } from 'vitest'
import { within } from './http.ts'
import type { ServerProcess, StartOptions } from './process.ts'

const INSIDE = new URL('./turn-probe.mjs', import.meta.url).href

/** How a server is started whose turns are to be measured; the rest of the flags is how people start it. */
export const PROBED = {
  nodeArgs: [
    '--max-semi-space-size=16',
    '--disable-warning=ExperimentalWarning', // of the clock
    `--import=${INSIDE}`,
  ],
  hasChannel: true,
} as const satisfies StartOptions

/**
 * The longest that a turn of the event loop may keep the main thread on a processor, whatever was sent: so long everybody
 * else waits. Meant for a machine on which `REFERENCE_MS` holds.
 */
export const LONGEST_TURN_MS = 50

/** What the reference work of the probe takes on such a machine while nothing else runs there. */
const REFERENCE_MS = 4.9

/** The best of so many tries counts: what else a machine does makes turns longer, and never shorter. */
const TRIES = 6
/** A process that is not quiet is waited for, see `turn-probe.mjs`. */
const PATIENCE_MS = 60_000

type Question = 'begin' | 'longest' | 'reference'

/** Measures the turns of the event loop of a server that was started with `PROBED`. */
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
   * Milliseconds that the main thread of the server was on a processor in the longest of the turns that `work` brought,
   * until the server had nothing more to do.
   */
  async longestTurnDuring(work: () => Promise<unknown>): Promise<number> {
    await this.#ask('begin')
    await work()
    return this.#ask('longest')
  }

  /** How many times as long as on the machine that limits are meant for, and at least as long, the server takes just now. */
  async slowness(): Promise<number> {
    return Math.max((await this.#ask('reference')) / REFERENCE_MS, 1)
  }

  /** Fails where `work`, which is done several times, brings a turn longer than `LONGEST_TURN_MS` each time. */
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

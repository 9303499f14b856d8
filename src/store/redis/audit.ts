import type { Reply } from './encoding.ts'
import type { Evictions } from './evictions.ts'

/** Keys that one look is at, about: a script holds up everybody else. */
const AT_ONCE = 50
/** Looks in a row while something is wrong. */
const MOST_LOOKS = 20

/** Looks a little at a time whether what is kept in Redis agrees, and puts right what does not (`lua/audit.lua`). */
export class Audit {
  #isRefused = false

  constructor(
    private readonly evictions: Evictions,
    private readonly ask: (most: number, isUrgent: boolean) => Promise<Reply>,
  ) {}

  /** To be called often, by every server: how much is looked at does not depend on how many they are. */
  async check(): Promise<void> {
    if (this.#isRefused) return
    let isUrgent = await this.evictions.check()
    for (let looks = 0, more = 1; more === 1 && looks < MOST_LOOKS; looks++) {
      const reply = (await this.ask(AT_ONCE, isUrgent)) as readonly [number, number] | null
      if (!reply) {
        this.#isRefused = true
        return
      }
      more = reply[1]
      isUrgent = false
    }
  }
}

import type { Reply } from './encoding.ts'
import type { Evictions } from './evictions.ts'

/** Keys per check, approximately. A script blocks Redis, so it has to be short. */
const AT_ONCE = 50
/** Checks in a row while something is wrong. */
const MAX_CHECKS = 20

/** Checks the data in Redis for contradictions, a few keys at a time, and repairs them (`lua/audit.lua`). */
export class Audit {
  #isRefused = false

  constructor(
    private readonly evictions: Evictions,
    private readonly runAudit: (most: number, isUrgent: boolean) => Promise<Reply>,
  ) {}

  /** To be called often by every server. The servers share the work: more of them do not check more. */
  async check(): Promise<void> {
    if (this.#isRefused) return
    let isUrgent = await this.evictions.check()
    for (let checks = 0, more = 1; more === 1 && checks < MAX_CHECKS; checks++) {
      const reply = (await this.runAudit(AT_ONCE, isUrgent)) as readonly [number, number] | null
      if (!reply) {
        this.#isRefused = true
        return
      }
      more = reply[1]
      isUrgent = false
    }
  }
}

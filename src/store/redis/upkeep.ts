import { StoreUnavailable } from '../store.ts'
import { Audit } from './audit.ts'
import { Evictions } from './evictions.ts'
import type { ConnId } from '../../protocol/ids.ts'
import type { Eviction } from '../store.ts'
import type { Reply } from './encoding.ts'
import type { Lease } from './lease.ts'
import type { RedisStoreOptions } from './options.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'
import type { ScriptRunner } from './script-runner.ts'
import type { ChangeScript } from './scripts.ts'

/** Records per sweep. A script blocks Redis, so it has to be short. */
const SWEPT_AT_ONCE = 200

interface UpkeepDeps {
  readonly redis: ReconnectingConnection
  readonly runner: ScriptRunner
  readonly lease: Lease
  readonly options: Pick<RedisStoreOptions, 'clock' | 'orphanWaitMs' | 'onEvicting'>
  /** Runs a script that announces its changes. */
  readonly runChange: (name: ChangeScript, ...args: readonly (string | number)[]) => Promise<Reply>
}

/** Periodic work: ends what is due, and repairs what Redis has lost. */
export class Upkeep {
  readonly #evictions: Evictions
  readonly #audit: Audit

  constructor(private readonly deps: UpkeepDeps) {
    const { redis, options, runChange } = deps
    const { clock, orphanWaitMs, onEvicting } = options
    this.#evictions = new Evictions({ redis, now: () => clock.now(), onEvicting })
    this.#audit = new Audit(this.#evictions, (most, isUrgent) =>
      runChange('audit', most, orphanWaitMs, isUrgent ? 1 : 0),
    )
  }

  /** The last known state of evictions. */
  get eviction(): Eviction {
    return this.#evictions.eviction
  }

  /** Checks for evictions at the start, so that a wrong policy is logged at once. */
  async begin(): Promise<void> {
    try {
      await this.#evictions.check()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error // checked again when Redis is back
    }
  }

  /** Sweeps until connections are due, and returns these; checks for lost data if there are none. */
  async sweep(): Promise<readonly ConnId[]> {
    const { runner, lease, options } = this.deps
    for (let more = 1; more > 0;) {
      const args = [options.orphanWaitMs, SWEPT_AT_ONCE, ...lease.steadiness]
      const reply = await runner.run('sweep', ...args)
      const [connections, isMore] = reply as unknown as readonly [readonly ConnId[], number]
      if (connections.length > 0) return connections
      more = isMore
    }
    await this.#audit.check()
    return []
  }
}

import type { Eviction } from '../store.ts'
import type { ReconnectingConnection } from './reconnecting-connection.ts'

/** Minimum time between two checks. */
const CHECK_INTERVAL_MS = 10_000

interface EvictionsDeps {
  readonly redis: ReconnectingConnection
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Warns the operator: once when evictions become possible, once when they happen. */
  readonly onEvicting: (warning: string) => void
}

/** Checks whether Redis evicts keys. A Redis that does not allow INFO, as managed ones may, is trusted. */
export class Evictions {
  #policy = ''
  #evictedKeys: number | undefined
  #checkedAt = -Infinity
  #hasWarned = false

  constructor(private readonly deps: EvictionsDeps) {}

  get eviction(): Eviction {
    return { mayEvict: this.#mayEvict, evictedKeys: this.#evictedKeys ?? 0 }
  }

  get #mayEvict(): boolean {
    return this.#policy !== '' && this.#policy !== 'noeviction'
  }

  /** Resolves with true if keys were evicted since the last check. Rejects with `StoreUnavailable`. */
  async check(): Promise<boolean> {
    const { now, redis } = this.deps
    if (now() - this.#checkedAt < CHECK_INTERVAL_MS) return false
    this.#checkedAt = now()
    const facts = await Promise.all([
      redis.commandIfAllowed('INFO', 'memory'),
      redis.commandIfAllowed('INFO', 'stats'),
    ])
    const fact = (name: string): string =>
      new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(facts.join('\n'))?.[1] ?? ''
    this.#notePolicy(fact('maxmemory_policy'))
    return this.#noteKeys(Number(fact('evicted_keys') || 0))
  }

  #notePolicy(policy: string): void {
    const isNews = policy !== this.#policy
    this.#policy = policy
    if (isNews && this.#mayEvict)
      this.deps.onEvicting(
        `Redis may take away what is needed: its maxmemory-policy is ${policy}. Set it to noeviction.`,
      )
  }

  #noteKeys(count: number): boolean {
    // After a restart, Redis counts from zero.
    const isMore = count > Math.min(this.#evictedKeys ?? 0, count) && this.#mayEvict
    this.#evictedKeys = count
    if (isMore && !this.#hasWarned) {
      this.#hasWarned = true
      this.deps.onEvicting(
        `Redis has taken away keys (evicted_keys: ${count}). Connections may end, and clients be told of gaps. Give it more memory, and set its maxmemory-policy to noeviction.`,
      )
    }
    return isMore
  }
}

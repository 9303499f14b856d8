import type { Clock } from '../lib/clock.ts'

/** Gives back what was acquired. May be called more than once. */
export type Release = () => void

const NOTHING_HELD: Release = () => {}

/** Counts what each key holds, up to a limit. 0: no limit. */
export class KeyedSemaphore {
  readonly #counts = new Map<string, number>()

  /** A lower `max` than a key holds takes nothing from it. What was acquired while it was 0 does not count. */
  constructor(public max: number) {}

  /** The number of keys that hold something. */
  get size(): number {
    return this.#counts.size
  }

  /** Returns undefined if the key has reached its limit. */
  tryAcquire(key: string): Release | undefined {
    if (this.max === 0) return NOTHING_HELD
    const held = this.#counts.get(key) ?? 0
    if (held >= this.max) return undefined
    this.#counts.set(key, held + 1)
    let isHeld = true
    return () => {
      if (isHeld) this.#release(key)
      isHeld = false
    }
  }

  #release(key: string): void {
    const held = this.#counts.get(key)
    if (held === undefined) return
    if (held === 1) this.#counts.delete(key)
    else this.#counts.set(key, held - 1)
  }
}

/** Limits how many calls succeed per second on average. A burst may use up a whole second's worth. 0: no limit. */
export class RateLimiter {
  #available: number
  #refilledAt = 0

  constructor(
    public perSecond: number,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    this.#available = perSecond
  }

  tryAcquire(): boolean {
    const { perSecond } = this
    if (perSecond === 0) return true
    const now = this.clock.now()
    this.#available = Math.min(
      perSecond,
      this.#available + ((now - this.#refilledAt) / 1000) * perSecond,
    )
    this.#refilledAt = now
    if (this.#available < 1) return false
    this.#available--
    return true
  }
}

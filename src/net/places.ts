import type { Clock } from '../lib/clock.ts'

/** Counts what each key holds, up to a limit; 0 for no limit. */
export class Places {
  readonly #held = new Map<string, number>()

  constructor(private readonly most: number) {}

  /** The number of keys that hold something. */
  get size(): number {
    return this.#held.size
  }

  /** False if the key holds as much as it may. Each true has to be followed by one `leave`. */
  take(key: string): boolean {
    if (this.most === 0) return true
    const held = this.#held.get(key) ?? 0
    if (held >= this.most) return false
    this.#held.set(key, held + 1)
    return true
  }

  leave(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    if (held === 1) this.#held.delete(key)
    else this.#held.set(key, held - 1)
  }
}

/** Lets so much pass in a second, on average, and as much at once. 0: everything. */
export class Rate {
  #left: number
  #countedAt = 0

  constructor(
    private readonly perSecond: number,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    this.#left = perSecond
  }

  pass(): boolean {
    const { perSecond } = this
    if (perSecond === 0) return true
    const now = this.clock.now()
    this.#left = Math.min(perSecond, this.#left + ((now - this.#countedAt) / 1000) * perSecond)
    this.#countedAt = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}

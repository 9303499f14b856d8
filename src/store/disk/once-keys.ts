import type { ChangeSet } from './change-set.ts'
import type { Line } from './lines.ts'
import type { StoreTime } from './store-time.ts'

/** A retry comes within seconds or never. So many keys are more than a server can publish in that time. */
const MAX_KEYS = 65_536

/** The idempotency keys of publications. Each is written together with what was published. */
export class OnceKeys {
  /** By time of the store, in order. */
  readonly #due = new Map<string, number>()

  constructor(
    private readonly changes: Pick<ChangeSet, 'line'>,
    private readonly time: StoreTime,
    private readonly windowMs: number,
  ) {}

  has(key: string): boolean {
    return (this.#due.get(key) ?? 0) > this.time.now()
  }

  add(key: string): void {
    const due = this.time.now() + this.windowMs
    this.changes.line(['o', key, due])
    this.#due.delete(key)
    this.restore(key, due)
  }

  restore(key: string, due: number): void {
    this.#due.set(key, due)
    const now = this.time.now()
    for (const [other, end] of this.#due) {
      if (end > now && this.#due.size <= MAX_KEYS) return
      this.#due.delete(other)
    }
  }

  *lines(): Generator<Line, void> {
    for (const [key, due] of this.#due) yield ['o', key, due]
  }
}

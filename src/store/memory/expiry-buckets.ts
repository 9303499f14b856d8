/**
 * Deadlines of keys, in buckets of 250 ms. Each operation takes constant time, whatever the number of keys.
 *
 * `due` may report a key up to 250 ms late, never early.
 */
export class ExpiryBuckets<Key> {
  readonly #at = new Map<Key, number>()
  readonly #buckets = new Map<number, Set<Key>>()
  #swept: number

  /** `now` in milliseconds. All later times must be from the same clock. */
  constructor(now: number) {
    this.#swept = bucketOf(now) - 1
  }

  get size(): number {
    return this.#at.size
  }

  /** Sets the deadline of a key, and replaces an earlier one. */
  set(key: Key, at: number): void {
    this.clear(key)
    const due = Math.max(at, (this.#swept + 1) * BUCKET_MS)
    this.#at.set(key, due)
    const bucket = this.#buckets.get(bucketOf(due))
    if (bucket) bucket.add(key)
    else this.#buckets.set(bucketOf(due), new Set([key]))
  }

  has(key: Key): boolean {
    return this.#at.has(key)
  }

  /** Undefined: it has none. */
  deadline(key: Key): number | undefined {
    return this.#at.get(key)
  }

  isDue(key: Key, now: number): boolean {
    return (this.#at.get(key) ?? Infinity) <= now
  }

  clear(key: Key): void {
    const at = this.#at.get(key)
    if (at === undefined) return
    this.#at.delete(key)
    const bucket = this.#buckets.get(bucketOf(at))
    bucket?.delete(key)
    if (bucket?.size === 0) this.#buckets.delete(bucketOf(at))
  }

  /** Returns and clears the keys that are due, earliest bucket first. */
  due(now: number): Key[] {
    const due: Key[] = []
    while ((this.#swept + 2) * BUCKET_MS <= now && this.#at.size > 0) {
      this.#swept++
      for (const key of this.#buckets.get(this.#swept) ?? []) {
        this.#at.delete(key)
        due.push(key)
      }
      this.#buckets.delete(this.#swept)
    }
    if (this.#at.size === 0) this.#swept = Math.max(this.#swept, bucketOf(now) - 1)
    return due
  }
}

const BUCKET_MS = 250
const bucketOf = (ms: number): number => Math.floor(ms / BUCKET_MS)

/** A copy of a histogram at one moment. */
export interface HistogramView {
  /** Upper bounds, ascending. Values above the last one are only in `count`. */
  readonly bounds: readonly number[]
  /** How many values are at most as large as each bound. */
  readonly counts: readonly number[]
  readonly count: number
  readonly sum: number
}

/** Counts values by size. Noting one costs a few comparisons, and no memory. */
export class Histogram {
  readonly #counts: Float64Array
  #sum = 0

  /** `bounds`: ascending. */
  constructor(private readonly bounds: readonly number[]) {
    this.#counts = new Float64Array(bounds.length + 1)
  }

  note(value: number): void {
    const { bounds } = this
    let place = 0
    while (place < bounds.length && value > (bounds[place] as number)) place++
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#sum += value
  }

  view(): HistogramView {
    let count = 0
    const sums = Array.from(this.#counts, (some) => (count += some))
    return { bounds: this.bounds, counts: sums.slice(0, -1), count, sum: this.#sum }
  }
}

/** Seconds, for what takes between half a millisecond and half a minute. */
export const SECONDS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
]

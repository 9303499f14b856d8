export type Labels = Readonly<Record<string, string>>

/** A count, and what of. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** Counts by labels, for few of them. */
export class Tally {
  readonly #counts = new Map<string, { readonly labels: Labels; value: number }>()

  note(labels: Labels): void {
    const key = Object.values(labels).join(' ')
    const known = this.#counts.get(key)
    if (known) known.value++
    else this.#counts.set(key, { labels, value: 1 })
  }

  samples(): Sample[] {
    return [...this.#counts.values()].map(({ labels, value }) => ({ labels, value }))
  }
}

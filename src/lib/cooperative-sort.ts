import type { Yielder } from './yielder.ts'

export type Order<Item> = (one: Item, other: Item) => number

/** Elements sorted or merged between two yields. Takes about a millisecond. */
export const RUN = 2_000

/** Sorts like `toSorted`, but yields to the event loop in between. */
export async function sortCooperatively<Item>(
  list: readonly Item[],
  order: Order<Item>,
  maybeYield: Yielder,
): Promise<readonly Item[]> {
  let runs: (readonly Item[])[] = []
  for (let from = 0; from < list.length; from += RUN) {
    runs.push(list.slice(from, from + RUN).sort(order))
    await maybeYield()
  }
  while (runs.length > 1) {
    const merged: (readonly Item[])[] = []
    for (let at = 0; at < runs.length; at += 2)
      merged.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], order, maybeYield))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge<Item>(
  left: readonly Item[],
  right: readonly Item[],
  order: Order<Item>,
  maybeYield: Yielder,
): Promise<readonly Item[]> {
  const merged: Item[] = []
  let at = 0
  for (const item of left) {
    while (at < right.length && order(right[at] as Item, item) < 0) merged.push(right[at++] as Item)
    merged.push(item)
    if (merged.length % RUN === 0) await maybeYield()
  }
  for (; at < right.length; at++) merged.push(right[at] as Item)
  return merged
}

/**
 * Parts of an answer that are too long to be made at once: they are read from the store while they are written, page by
 * page, so that neither they nor the work for them are ever there as a whole. What changes meanwhile may be seen or not.
 */
import type { Clock } from '../../lib/clock.ts'

/** A list; each page holds some of its elements. */
export class PagedList<Item = unknown> {
  constructor(readonly pages: AsyncIterable<readonly Item[]>) {}
}

/** An object; each page holds some of its keys with their values. */
export class PagedRecord<Value = unknown> {
  constructor(readonly pages: AsyncIterable<readonly (readonly [string, Value])[]>) {}
}

/**
 * To be called between small steps of long work: answers undefined, or a promise to be awaited once the work has had
 * the event loop for long, so that others have it.
 */
export type Yielder = () => Promise<void> | undefined

/** How long all long work together may have the event loop before it lets others have it. */
const TURN_MS = 8

/** One for a whole server: several long answers share the time that is theirs. */
export function createYielder(clock: Clock): Yielder {
  let since = clock.now()
  let waiting: (() => void)[] = []
  const nextTurn = (): void => {
    since = clock.now()
    const resumed = waiting
    waiting = []
    for (const resume of resumed) resume()
  }
  return () => {
    if (clock.now() - since < TURN_MS) return undefined
    return new Promise<void>((resolve) => {
      if (waiting.push(resolve) === 1) clock.soon(nextTurn)
    })
  }
}

/** A list that is there already, in pages of so many elements. */
export async function* pagesOf<Item>(
  list: readonly Item[],
  size: number,
  maybeYield: Yielder,
): AsyncGenerator<readonly Item[]> {
  for (let from = 0; from < list.length; from += size) {
    await maybeYield()
    yield list.slice(from, from + size)
  }
}

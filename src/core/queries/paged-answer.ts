/**
 * Parts of an answer that are too long to be made at once: they are read from the store while they are written, page by
 * page, so that neither they nor the work for them are ever there as a whole. What changes meanwhile may be seen or not.
 */
import type { Yielder } from '../../lib/yielder.ts'

/** A list; each page holds some of its elements. */
export class PagedList<Item = unknown> {
  constructor(readonly pages: AsyncIterable<readonly Item[]>) {}
}

/** An object; each page holds some of its keys with their values. */
export class PagedRecord<Value = unknown> {
  constructor(readonly pages: AsyncIterable<readonly (readonly [string, Value])[]>) {}
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

/**
 * Parts of an answer that are too long to build in one piece. They are read from the store page by page while they are
 * written, so that they need neither much memory nor a long event-loop turn. They may or may not show changes made
 * meanwhile.
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

/** Splits an existing list into pages of `size` elements. */
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

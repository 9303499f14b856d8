/** Splits the list into parts of at most `size` elements. */
export function chunksOf<Element>(list: readonly Element[], size: number): (readonly Element[])[] {
  const parts: (readonly Element[])[] = []
  for (let from = 0; from < list.length; from += size) parts.push(list.slice(from, from + size))
  return parts
}

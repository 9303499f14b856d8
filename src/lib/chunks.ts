/** The list in parts of at most so many elements. */
export function chunksOf<Element>(list: readonly Element[], size: number): (readonly Element[])[] {
  const parts: (readonly Element[])[] = []
  for (let from = 0; from < list.length; from += size) parts.push(list.slice(from, from + size))
  return parts
}

const PART_SIZE = 1000

/**
 * Yields summaries of records, part by part. An iterator of a `Map` tolerates changes: it visits entries added
 * meanwhile, skips deleted ones, and visits all others once.
 */
export function* inParts<Summary>(
  held: Iterable<{ summary(): Summary }>,
): Generator<Summary[], void> {
  let part: Summary[] = []
  for (const record of held) {
    part.push(record.summary())
    if (part.length < PART_SIZE) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}

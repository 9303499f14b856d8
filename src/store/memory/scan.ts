const PART_SIZE = 1000

/**
 * Summaries of what is held, part by part. The iterator of a `Map` goes on after changes: what is added is met, what is
 * deleted is not, and the rest is met once.
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

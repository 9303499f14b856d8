/** Something that comes from Redis: an event, or what is done to a connection that this server holds. */
export interface Announcement {
  readonly kind: 'event' | 'command'
  /** The number of the event; of a command, that of the newest event when it was given. Undefined: it is not known. */
  readonly n: number | undefined
  readonly handle: () => void
}

/**
 * What was heard and what was read of the same time, in the order in which it happened. An event that was both happens once.
 * A command whose number is not known keeps its place among what was heard, and comes before what was only read.
 */
export function mergeInOrder(
  heard: readonly Announcement[],
  read: readonly Announcement[],
): readonly Announcement[] {
  if (read.length === 0) return heard
  const known = new Set(read.map(({ n }) => n))
  const all: Announcement[] = []
  let next = 0
  let reached = 0
  for (const one of heard) {
    reached = Math.max(reached, one.n ?? 0)
    while (next < read.length && (read[next]?.n ?? 0) <= reached)
      all.push(read[next++] as Announcement)
    if (one.kind === 'command' || !known.has(one.n)) all.push(one)
  }
  return all.concat(read.slice(next))
}

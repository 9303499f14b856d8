/** Something received from Redis: an event, or a command about a connection that this server holds. */
export interface Announcement {
  readonly kind: 'event' | 'command'
  /** The number of the event; for a command, of the newest event when it was sent. Undefined: unknown. */
  readonly n: number | undefined
  readonly handle: () => void
}

/**
 * Merges what was received by subscription and what was read afterwards into one order. An event in both appears once.
 * A command without a number keeps its position among the received ones, and comes before what was only read.
 */
export function mergeInOrder(
  received: readonly Announcement[],
  read: readonly Announcement[],
): readonly Announcement[] {
  if (read.length === 0) return received
  const known = new Set(read.map(({ n }) => n))
  const all: Announcement[] = []
  let next = 0
  let reached = 0
  for (const one of received) {
    reached = Math.max(reached, one.n ?? 0)
    while (next < read.length && (read[next]?.n ?? 0) <= reached)
      all.push(read[next++] as Announcement)
    if (one.kind === 'command' || !known.has(one.n)) all.push(one)
  }
  return all.concat(read.slice(next))
}

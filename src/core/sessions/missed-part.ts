/** Catching up in parts, for clients that get a limited number of bytes at a time. */
import { lateEvent, maySee } from '../delivery/outgoing-event.ts'
import { topicsToRead } from './catch-up.ts'
import type { Attachment, Missed, Store, StoredEvent, Topic } from '../../store/store.ts'
import type { CatchUpStart } from './catch-up.ts'

/**
 * Reads what a client has missed. With `most`: only the oldest events that it may see, up to this many bytes of JSON,
 * but at least one if there are any.
 */
export async function readMissed(
  store: Pick<Store, 'missed'>,
  attachment: Attachment,
  start: CatchUpStart,
  most?: number,
): Promise<Missed> {
  const missed = await store.missed(topicsToRead(attachment, start), most)
  return most === undefined ? missed : await readPart({ store, attachment, start, most }, missed)
}

interface Reading {
  readonly store: Pick<Store, 'missed'>
  readonly attachment: Attachment
  readonly start: CatchUpStart
  readonly most: number
}

/** Reads on until there is enough: the user may not see everything that the store returns. */
async function readPart(reading: Reading, first: Missed): Promise<Missed> {
  const { store, attachment, start, most } = reading
  const events: StoredEvent[] = []
  const lost = new Map<Topic, number>()
  let size = 0
  for (let missed = first; ;) {
    // A gap that is found later, in the same topic, is found again by the read that begins after this part.
    for (const [topic, n] of missed.lost) if (!lost.has(topic)) lost.set(topic, n)
    const found = { ...missed, events, gaps: [...lost.keys()], lost }
    for (const event of missed.events) {
      if (!maySee(attachment.user, event)) continue
      size += lateEvent(event).size
      const last = events.at(-1)
      if (last && size > most) return { ...found, through: last.n }
      events.push(event)
    }
    if (missed.through >= missed.head) return found
    missed = await store.missed(topicsToRead(attachment, { ...start, after: missed.through }), most)
  }
}

/** Divides what an endpoint gets into requests. */
import type { QueuePart, QueuedEvent } from '../store/webhook-queue.ts'

export const MAX_EVENTS_PER_REQUEST = 100
/** After its first event. */
export const MAX_REQUEST_CHARACTERS = 1_048_576

/** The parts of a body that are the same for all. */
export interface Envelope {
  readonly installation: string
  readonly epoch: string
}

export const bodyOf = ({ installation, epoch }: Envelope, events: readonly string[]): string =>
  `{"installation":${JSON.stringify(installation)},"epoch":${JSON.stringify(epoch)},"events":[${events.join(',')}]}`

export function resyncText(
  { resync, through, life }: QueuePart & { readonly resync: NonNullable<QueuePart['resync']> },
  epoch: string,
  time: number,
): string {
  return JSON.stringify({
    id: `${epoch}-resync-${life.slice(0, 8)}-${through}`,
    type: 'resync',
    time: Math.floor(time),
    subject: 'installation',
    seq: through,
    ...resync,
  })
}

/** Divides events into at most `count` lanes. Each subject is in one lane, in order. */
export function lanesOf(events: readonly QueuedEvent[], count: number): QueuedEvent[][] {
  const lanes = new Map<number, QueuedEvent[]>()
  for (const event of events) {
    const number = hashOf(event.subject) % count
    const lane = lanes.get(number)
    if (lane) lane.push(event)
    else lanes.set(number, [event])
  }
  return [...lanes.values()]
}

/** Divides a lane into requests that are not too large. */
export function requestsOf(lane: readonly QueuedEvent[]): string[][] {
  const requests: string[][] = []
  let current: string[] = []
  let characters = 0
  for (const { text } of lane) {
    const isFull =
      current.length >= MAX_EVENTS_PER_REQUEST || characters + text.length > MAX_REQUEST_CHARACTERS
    if (current.length > 0 && isFull) {
      requests.push(current)
      current = []
      characters = 0
    }
    current.push(text)
    characters += text.length
  }
  if (current.length > 0) requests.push(current)
  return requests
}

function hashOf(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++)
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) >>> 0
  return hash
}

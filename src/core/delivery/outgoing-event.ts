import { isListed } from '../../lib/name-list.ts'
import { writeJson } from '../../protocol/exact-numbers.ts'
import { asInFrames } from '../../protocol/timestamps.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { EventBody, PhiloteForm, StoredEvent } from '../../store/store.ts'

/**
 * An event on its way to this server's clients, with the text that all of them share.
 *
 * Serialised once, on first use: an event that nobody here gets costs nothing.
 */
export class OutgoingEvent {
  #json: string | undefined
  #size: number | undefined

  constructor(
    readonly n: number,
    readonly id: string,
    /** What clients see. */
    readonly body: Pick<EventBody, 'type'> & Readonly<Record<string, unknown>>,
    /** What Philote readers get instead of what the body says. */
    readonly philote?: PhiloteForm,
  ) {}

  get type(): EventBody['type'] {
    return this.body.type
  }

  /** The event as clients see it: one JSON object. */
  get json(): string {
    return (this.#json ??= writeJson(this.body))
  }

  /** Bytes of that in UTF-8. */
  get size(): number {
    return (this.#size ??= Buffer.byteLength(this.json))
  }
}

/** Types whose events say `catchup: false` when live. Edits and deletes say nothing then. Source: recorded. */
const SAYS_WHEN_LIVE = new Set<EventBody['type']>(['message', 'presence', 'user_state_change'])

/** The event for those who are there now. */
export function liveEvent(event: StoredEvent): OutgoingEvent {
  const { n, id, body, delivery } = event
  const catchup = SAYS_WHEN_LIVE.has(body.type) ? false : undefined
  return new OutgoingEvent(n, id, clientView(event, catchup), delivery.philote)
}

/** The event for those who come back. They share it: after a restart of a proxy, thousands come back at once. */
export function lateEvent(event: StoredEvent): OutgoingEvent {
  const known = LATE.get(event)
  if (known) return known
  const { n, id } = event
  const late = new OutgoingEvent(n, id, clientView(event, true))
  LATE.set(event, late)
  return late
}
const LATE = new WeakMap<StoredEvent | OutgoingEvent, OutgoingEvent>()

/** An event that was announced as live, for those who come back. They share it as well. */
export function asLateEvent(event: OutgoingEvent): OutgoingEvent {
  const known = LATE.get(event)
  if (known) return known
  const { n, id, body } = event
  const late = new OutgoingEvent(n, id, { ...body, catchup: true })
  LATE.set(event, late)
  return late
}

/**
 * `date` is the server's: without a timestamp it is undefined, which takes a caller's own key of that name away.
 *
 * Done for every event: a plain message is spelled out, and what else there is assigned, not spread, because a spread with
 * keys after it is ten times as slow in Node 20.
 */
function clientView({ id, body }: StoredEvent, catchup: boolean | undefined): EventBody {
  const { type, uuid, channel, user, message } = body
  const timestamp = asInFrames(body.timestamp)
  const edited = asInFrames(body['edited'])
  if (isPlainMessage(body)) {
    return { type, uuid, channel, user, message, timestamp, edited, id, date: timestamp, catchup }
  }
  return Object.assign({}, body, { edited, id, timestamp, date: timestamp, catchup })
}

function isPlainMessage(body: EventBody): boolean {
  const { type, timestamp, user, message, edited } = body
  const isWhole = timestamp !== undefined && user !== undefined && message !== undefined
  return (
    type === 'message' && isWhole && edited !== undefined && Object.keys(body).length === PLAIN_KEYS
  )
}
/** type, uuid, channel, timestamp, user, message, edited */
const PLAIN_KEYS = 7

/** Whether a user may see an event or a stored message, wherever it is shown. */
export function maySee(user: UserName, { delivery }: Pick<StoredEvent, 'delivery'>): boolean {
  const { pmUsers, excludeUsers } = delivery
  return !isListed(excludeUsers, user) && (pmUsers.length === 0 || isListed(pmUsers, user))
}

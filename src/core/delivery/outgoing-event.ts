import { isListed } from '../../lib/name-list.ts'
import { writeJson } from '../../protocol/exact-numbers.ts'
import { asInFrames } from '../../protocol/timestamps.ts'
import type { UserName } from '../../protocol/ids.ts'
import type { EventBody, PhiloteForm, StoredEvent } from '../../store/store.ts'

/**
 * An event for this server's clients. Its JSON is built once, on first use: an event without receivers costs nothing.
 */
export class OutgoingEvent {
  #json: string | undefined
  #size: number | undefined

  constructor(
    readonly n: number,
    readonly id: string,
    /** What clients see. */
    readonly body: Pick<EventBody, 'type'> & Readonly<Record<string, unknown>>,
    /** What Philote clients get instead of the body. */
    readonly philote?: PhiloteForm,
  ) {}

  get type(): EventBody['type'] {
    return this.body.type
  }

  /** The event as clients get it: one JSON object. */
  get json(): string {
    return (this.#json ??= this.write())
  }

  protected write(): string {
    return writeJson(this.body)
  }

  /** Length of the JSON in UTF-8 bytes. */
  get size(): number {
    return (this.#size ??= Buffer.byteLength(this.json))
  }
}

/**
 * An event of a publication in several channels. These events differ in channel and id only. The rest, with the payload,
 * is written once for all of them.
 */
class EventOfSeveral extends OutgoingEvent {
  constructor(
    { n, id, delivery }: StoredEvent,
    body: EventBody,
    private readonly publication: object,
  ) {
    super(n, id, body, delivery.philote)
  }

  protected override write(): string {
    const { channel, id } = this.body
    let rest = SHARED.get(this.publication)
    if (rest === undefined) {
      rest = writeJson({ ...this.body, channel: undefined, id: undefined }).slice(1)
      SHARED.set(this.publication, rest)
    }
    return `${JSON.stringify({ channel, id }).slice(0, -1)},${rest}`
  }
}
const SHARED = new WeakMap<object, string>()

/** Types whose live events have `catchup: false`. Live edits and deletes have no `catchup`. Source: recorded. */
const SAYS_WHEN_LIVE = new Set<EventBody['type']>(['message', 'presence', 'user_state_change'])

/** Returns the event for connections that are attached now. */
export function liveEvent(event: StoredEvent): OutgoingEvent {
  const { n, id, body, delivery, publication } = event
  const catchup = SAYS_WHEN_LIVE.has(body.type) ? false : undefined
  const view = clientView(event, catchup)
  return publication
    ? new EventOfSeveral(event, view, publication)
    : new OutgoingEvent(n, id, view, delivery.philote)
}

/** Returns the event for clients that catch up. It is cached: after a proxy restart, thousands reconnect at once. */
export function lateEvent(event: StoredEvent): OutgoingEvent {
  const known = LATE.get(event)
  if (known) return known
  const { n, id } = event
  const late = new OutgoingEvent(n, id, clientView(event, true))
  LATE.set(event, late)
  return late
}
const LATE = new WeakMap<StoredEvent | OutgoingEvent, OutgoingEvent>()

/** Returns the catch-up form of a live event. It is cached as well. */
export function asLateEvent(event: OutgoingEvent): OutgoingEvent {
  const known = LATE.get(event)
  if (known) return known
  const { n, id, body } = event
  const late = new OutgoingEvent(n, id, { ...body, catchup: true })
  LATE.set(event, late)
  return late
}

/**
 * `date` is set by the server. Without a timestamp it is undefined, which removes a caller's own `date`.
 *
 * Runs for every event, so it is tuned: plain messages are built key by key, others with `Object.assign`. A spread with
 * keys after it is ten times slower in Node 20.
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

/** Returns whether a user may see an event or a stored message. */
export function maySee(user: UserName, { delivery }: Pick<StoredEvent, 'delivery'>): boolean {
  const { pmUsers, excludeUsers } = delivery
  return !isListed(excludeUsers, user) && (pmUsers.length === 0 || isListed(pmUsers, user))
}

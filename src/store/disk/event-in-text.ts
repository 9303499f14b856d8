import { formatCursor } from '../../protocol/ids.ts'
import { deliveryOf } from './lines.ts'
import type { UnreadEvent } from '../memory/uuid-of.ts'
import type { Delivery, EventBody } from '../store.ts'
import type { KeptDelivery } from './lines.ts'

const UUID = '"uuid":"'

/**
 * An event that was read from the disk. Its text is parsed when somebody reads the event: most of a million events are
 * never read, and parsing all of them would take most of the time of a start.
 */
export class EventInText implements UnreadEvent {
  #content: string | Parsed

  /** `text`: body and delivery, as they are in a line. Without exact numbers. */
  constructor(
    readonly n: number,
    private readonly epoch: string,
    text: string,
  ) {
    this.#content = text
  }

  get id(): string {
    return formatCursor({ epoch: this.epoch, n: this.n })
  }

  /** Undefined: it was parsed. */
  get text(): string | undefined {
    return typeof this.#content === 'string' ? this.#content : undefined
  }

  get uuid(): string {
    const { text } = this
    return (text !== undefined ? onlyUuidIn(text) : undefined) ?? this.body.uuid
  }

  get body(): EventBody {
    return this.#parsed().body
  }

  get delivery(): Delivery {
    return this.#parsed().delivery
  }

  #parsed(): Parsed {
    if (typeof this.#content !== 'string') return this.#content
    const [body, kept] = JSON.parse(`[${this.#content}]`) as [EventBody, KeptDelivery]
    return (this.#content = { body, delivery: deliveryOf(kept) })
  }
}

type Parsed = Pick<UnreadEvent, 'body' | 'delivery'>

/** Undefined: the text has to be parsed, because a payload has a uuid as well, or because the uuid is escaped. */
function onlyUuidIn(text: string): string | undefined {
  const start = text.indexOf(UUID) + UUID.length
  if (start < UUID.length || text.includes(UUID, start)) return undefined
  const uuid = text.slice(start, text.indexOf('"', start))
  return uuid.includes('\\') ? undefined : uuid
}

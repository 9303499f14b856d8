import { formatCursor } from '../../protocol/ids.ts'
import { deliveryOf } from './lines.ts'
import type { UnreadEvent } from '../memory/uuid-of.ts'
import type { Delivery, EventBody } from '../store.ts'
import type { KeptDelivery } from './lines.ts'

const UUID = '"uuid":"'

/** Where body and delivery are, as they are in a line. Without exact numbers. */
export interface Place {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/**
 * An event that was read from the disk. Its text is parsed when somebody reads the event: most of a million events are
 * never read, and parsing all of them would take most of the time of a start.
 */
export class EventInText implements UnreadEvent {
  #content: Buffer | Parsed

  readonly #start: number
  readonly #end: number

  constructor(
    readonly n: number,
    private readonly epoch: string,
    { bytes, start, end }: Place,
  ) {
    this.#content = bytes
    this.#start = start
    this.#end = end
  }

  get id(): string {
    return formatCursor({ epoch: this.epoch, n: this.n })
  }

  /** Undefined: it was parsed. */
  get text(): string | undefined {
    const bytes = this.#content
    return Buffer.isBuffer(bytes) ? bytes.toString('utf8', this.#start, this.#end) : undefined
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
    const { text } = this
    if (text === undefined) return this.#content as Parsed
    const [body, kept] = JSON.parse(`[${text}]`) as [EventBody, KeptDelivery]
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

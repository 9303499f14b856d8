import type { OutgoingEvent } from './outgoing-event.ts'

/** The encoding of one kind of sink. There is one object per kind, because batches cache their bytes for it. */
export interface WireForm {
  /** Returns the bytes of these events, ready for the network. */
  encode(events: readonly OutgoingEvent[]): Buffer
}

/**
 * The events that one connection gets in one flush: a node in a tree that all connections share.
 *
 * `then` returns the same child for the same event. Connections with the same events since their last flush therefore
 * hold the same node, and its bytes are built once for all of them, without comparing lists.
 */
export class Batch {
  #event: OutgoingEvent | undefined
  #child: Batch | undefined
  #form: WireForm | undefined
  #bytes: Buffer | undefined
  /** The bytes in forms other than the first, for channels whose listeners use several transports. */
  #otherBytes: Map<WireForm, Buffer> | undefined

  private constructor(
    /** The batch without its newest event. */
    readonly parent: Batch | undefined,
    /** The newest event; undefined in the empty batch. */
    readonly last: OutgoingEvent | undefined,
    readonly length: number,
    /** JSON bytes of all events, without what a wire form adds. */
    readonly size: number,
  ) {}

  /** The batch of every connection after a flush. */
  static readonly empty = new Batch(undefined, undefined, 0, 0)

  /**
   * Returns this batch plus one event. An event is pushed to all its connections before the next event is pushed to
   * any, so caching one child is enough for them to share it.
   */
  append(event: OutgoingEvent): Batch {
    if (this.#event !== event || !this.#child) {
      this.#event = event
      this.#child = new Batch(this, event, this.length + 1, this.size + event.size)
    }
    return this.#child
  }

  /** Frees the batches of the last flush for garbage collection. No connection can share them any more. */
  static endFlush(): void {
    Batch.empty.#event = undefined
    Batch.empty.#child = undefined
  }

  /** Oldest first. */
  events(): OutgoingEvent[] {
    return eventsOf(this)
  }

  /** Returns the bytes of this batch in a wire form. They are built on first use. */
  bytes(form: WireForm): Buffer {
    this.#form ??= form
    if (this.#form === form) return (this.#bytes ??= form.encode(this.events()))
    const others = (this.#otherBytes ??= new Map<WireForm, Buffer>())
    const known = others.get(form)
    if (known) return known
    const bytes = form.encode(this.events())
    others.set(form, bytes)
    return bytes
  }
}

function eventsOf(batch: Batch): OutgoingEvent[] {
  const events: OutgoingEvent[] = []
  for (let node: Batch | undefined = batch; node?.last; node = node.parent) events.push(node.last)
  return events.reverse()
}

import type { OutgoingEvent } from './outgoing-event.ts'

/**
 * How a kind of sink writes events. One object per kind: batches remember the bytes they built for it.
 */
export interface WireForm {
  /** The bytes of these events, ready for the network. */
  encode(events: readonly OutgoingEvent[]): Buffer
}

/**
 * The events that one connection gets in one flush: a node in a tree that all connections share.
 *
 * `then` returns the one child for an event, so connections that were pushed the same events since their last flush
 * hold the same node, and its bytes are built once for all of them. Nobody compares lists.
 */
export class Batch {
  #event: OutgoingEvent | undefined
  #child: Batch | undefined
  #form: WireForm | undefined
  #bytes: Buffer | undefined

  private constructor(
    /** The batch without its newest event. */
    readonly parent: Batch | undefined,
    /** The newest event; undefined in the empty batch. */
    readonly last: OutgoingEvent | undefined,
    readonly length: number,
    /** JSON bytes of the events together, without what a wire form puts around them. */
    readonly size: number,
  ) {}

  /** Where every connection starts after a flush. */
  static readonly empty = new Batch(undefined, undefined, 0, 0)

  /**
   * This batch and one event more. An event is pushed to all its connections before the next one is pushed to any, so
   * remembering one child is enough for them to share it.
   */
  then(event: OutgoingEvent): Batch {
    if (this.#event !== event || !this.#child) {
      this.#event = event
      this.#child = new Batch(this, event, this.length + 1, this.size + event.size)
    }
    return this.#child
  }

  /** Lets go of what was put together since the last flush, which nobody will be pushed again. */
  static endFlush(): void {
    Batch.empty.#event = undefined
    Batch.empty.#child = undefined
  }

  /** Oldest first. */
  events(): OutgoingEvent[] {
    return eventsOf(this)
  }

  /** The bytes of this batch in a wire form; built on first use. */
  bytes(form: WireForm): Buffer {
    if (this.#bytes === undefined || this.#form !== form) {
      this.#form = form
      this.#bytes = form.encode(this.events())
    }
    return this.#bytes
  }
}

function eventsOf(batch: Batch): OutgoingEvent[] {
  const events: OutgoingEvent[] = []
  for (let node: Batch | undefined = batch; node?.last; node = node.parent) events.push(node.last)
  return events.reverse()
}

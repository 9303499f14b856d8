import { ChannelstreamError } from './errors.ts'

type Result<Event> = IteratorResult<Event, undefined>

interface Reader<Event> {
  readonly resolve: (result: Result<Event>) => void
  readonly reject: (error: ChannelstreamError) => void
}

/** For `for await`. `AsyncIterableIterator` has the type of the end only since TypeScript 5.6. */
export interface EventIterator<Event> extends AsyncIterator<Event, undefined> {
  [Symbol.asyncIterator](): EventIterator<Event>
}

/** A bounded queue of events for one `for await` loop. */
export class EventQueue<Event> implements EventIterator<Event> {
  readonly #events: Event[] = []
  readonly #readers: Reader<Event>[] = []
  #isEnded = false
  /** Thrown once, after the queued events were read. */
  #error: ChannelstreamError | undefined

  /** `onEnd` is called once, when the queue ends for any reason. */
  constructor(
    private readonly limit: number,
    private readonly onEnd: () => void,
  ) {}

  push(event: Event): void {
    if (this.#isEnded) return
    const reader = this.#readers.shift()
    if (reader) reader.resolve({ done: false, value: event })
    else if (this.#events.length < this.limit) this.#events.push(event)
    else
      this.end(
        new ChannelstreamError('overflow', `more than ${this.limit} events are waiting to be read`),
      )
  }

  /** Ends the queue. Queued events can still be read; then `next()` rejects once with `error`, if there is one. */
  end(error?: ChannelstreamError): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#error = error
    for (const reader of this.#readers.splice(0)) this.next().then(reader.resolve, reader.reject)
    this.onEnd()
  }

  next(): Promise<Result<Event>> {
    const [event] = this.#events.splice(0, 1)
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (!this.#isEnded)
      return new Promise((resolve, reject) => void this.#readers.push({ resolve, reject }))
    const error = this.#error
    this.#error = undefined
    return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined })
  }

  /** Called when the loop exits early. Drops the queued events. */
  return(): Promise<Result<Event>> {
    this.#events.length = 0
    this.#error = undefined
    this.end()
    return this.next()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

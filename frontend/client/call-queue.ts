import { ChannelstreamError } from './errors.ts'

/** More calls than this wait only if the backend has not answered for long. */
const MAX_WAITING = 1_000

interface Entry {
  readonly channels: string[] | undefined
  /** Of calls that may be joined. */
  readonly key: string
  hasStarted: boolean
  readonly answer: Promise<unknown>
}

/**
 * Makes calls one at a time, in order: two requests on their way at once may reach the backend in either order. A call
 * starts after the page's current code, so that calls for channels that follow each other are made together.
 */
export class CallQueue {
  #last: Entry | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #waiting = 0

  add(make: () => Promise<unknown>): Promise<unknown> {
    return this.#add('', undefined, make)
  }

  /** Joins the call before it if that has the same key and has not started. Both get the same answer. */
  addChannels(
    key: string,
    channels: readonly string[],
    make: (channels: readonly string[]) => Promise<unknown>,
  ): Promise<unknown> {
    const last = this.#last
    if (last?.channels && last.key === key && !last.hasStarted) {
      last.channels.push(...channels.filter((channel) => !last.channels?.includes(channel)))
      return last.answer
    }
    const all = [...channels]
    return this.#add(key, all, () => make(all))
  }

  #add(
    key: string,
    channels: string[] | undefined,
    make: () => Promise<unknown>,
  ): Promise<unknown> {
    if (this.#waiting >= MAX_WAITING)
      return Promise.reject(new ChannelstreamError('overflow', 'too many calls are waiting'))
    this.#waiting++
    const answer = this.#tail.then(() => {
      entry.hasStarted = true
      return make()
    })
    const entry: Entry = { key, channels, hasStarted: false, answer }
    this.#last = entry
    this.#tail = answer.catch(() => {}).then(() => this.#waiting--)
    return answer
  }
}

/** Posts messages of calls that would otherwise wait for a socket, several calls in one request. */
import { ENDPOINTS } from './endpoints.ts'
import { CLIENT_ERRORS, ChannelstreamError } from './error.ts'
import type { Caller } from './caller.ts'
import type { MessageRequest, MessageResponse } from './types.ts'

/** Messages of one request, unless a single call has more. */
const MOST_MESSAGES = 100
/** Characters of one request, unless a single call has more. A quarter of what servers accept by default. */
const MOST_CHARACTERS = 262_144

/** Whether a whole request was refused because of some of its messages. Nothing of it was posted then. */
const isOfSome = (error: unknown): boolean =>
  error instanceof ChannelstreamError &&
  ([400, 413, 422].includes(error.status ?? 0) || error.code === 'TOO_MANY_MESSAGES')

/** The messages of one call of a user of the library. */
interface Part {
  /** JSON, without the brackets of the list. */
  readonly text: string
  readonly count: number
  /** When the call fails, by `performance.now()`. */
  readonly endsAt: number
  readonly signal: AbortSignal | undefined
  resolve: (answers: MessageResponse[]) => void
  reject: (reason: unknown) => void
  isSettled: boolean
}

/**
 * One request is under way at a time. A call that finds none is sent at once and alone; what is called meanwhile waits
 * for it, and is then sent together, in the order of the calls. So nothing waits that need not, and the busier the
 * caller, the fewer the requests.
 */
export class MessageGatherer {
  #waiting: Part[] = []
  #isUnderWay = false

  constructor(
    private readonly caller: Caller,
    private readonly deadlineMs: number,
  ) {}

  /** Rejects like `Caller.call`. A fault of another call's messages has no effect on this one. */
  post(messages: readonly MessageRequest[], signal?: AbortSignal): Promise<MessageResponse[]> {
    const text = messages.map((message) => JSON.stringify(message)).join()
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const endsAt = performance.now() + this.deadlineMs
      const part = { text, count: messages.length, endsAt, signal, isSettled: false }
      this.#waiting.push(withEnds({ ...part, resolve, reject }, this.deadlineMs))
      if (!this.#isUnderWay) this.#sendNext()
    })
  }

  #sendNext(): void {
    const parts = this.#next()
    this.#isUnderWay = parts.length > 0
    if (!this.#isUnderWay) return
    const fail = (fault: unknown): void => parts.forEach(({ reject }) => reject(fault))
    this.#send(parts)
      .catch(fail)
      .then(() => this.#sendNext(), fail)
  }

  /** Removes what fits into one request from those that wait. */
  #next(): Part[] {
    const waiting = this.#waiting.filter(({ isSettled }) => !isSettled)
    let [messages, characters] = [0, 0]
    const end = waiting.findIndex(({ count, text }, index) => {
      messages += count
      characters += text.length + 1
      return index > 0 && (messages > MOST_MESSAGES || characters > MOST_CHARACTERS)
    })
    const parts = end < 0 ? waiting : waiting.slice(0, end)
    this.#waiting = waiting.slice(parts.length)
    return parts
  }

  /** Resolves when each call is settled. */
  async #send(all: readonly Part[]): Promise<void> {
    // Calls may have ended while a request with them was refused.
    const parts = all.filter(({ isSettled }) => !isSettled)
    if (parts.length === 0) return
    const deadlineMs = Math.max(...parts.map(({ endsAt }) => endsAt)) - performance.now()
    const [first] = parts
    const signal = parts.length === 1 ? first?.signal : undefined
    const text = `[${parts.map((part) => part.text).join()}]`
    try {
      const options = { deadlineMs: Math.max(1, deadlineMs), ...(signal && { signal }) }
      deal(await this.caller.callWith(ENDPOINTS.message, text, options), parts)
    } catch (error) {
      if (!isOfSome(error) || parts.length === 1)
        return parts.forEach(({ reject }) => reject(error))
      const half = Math.ceil(parts.length / 2)
      await this.#send(parts.slice(0, half))
      await this.#send(parts.slice(half))
    }
  }
}

/** Gives each call the answers to its own messages. */
function deal(answers: MessageResponse[], parts: readonly Part[]): void {
  if (parts.length === 1) return parts[0]?.resolve(answers)
  const sent = parts.reduce((sum, { count }) => sum + count, 0)
  if (answers.length !== sent) {
    const text = `POST /message: ${CLIENT_ERRORS.BAD_ANSWER.text} (${answers.length} of ${sent} messages)`
    throw new ChannelstreamError('BAD_ANSWER', text, { status: 200, attempts: 1 })
  }
  let at = 0
  for (const { count, resolve } of parts) resolve(answers.slice(at, (at += count)))
}

/** Ends the call at its deadline, or when its signal aborts, while its messages wait or are under way with others. */
function withEnds(part: Part, deadlineMs: number): Part {
  const { signal, resolve, reject } = part
  const settle = (): boolean => {
    if (part.isSettled) return false
    part.isSettled = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    return true
  }
  const onAbort = (): void => {
    if (settle()) reject(signal?.reason)
  }
  // A little later than the request: its error says more.
  const timer = setTimeout(() => {
    const text = `POST /message: ${CLIENT_ERRORS.TIMEOUT.text}`
    if (settle()) reject(new ChannelstreamError('TIMEOUT', text, { attempts: 1 }))
  }, deadlineMs + MARGIN_MS)
  signal?.addEventListener('abort', onAbort)
  part.resolve = (answers) => void (settle() && resolve(answers))
  part.reject = (reason) => void (settle() && reject(reason))
  return part
}

const MARGIN_MS = 100

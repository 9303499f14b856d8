import type https from 'node:https'

export interface ChannelstreamOptions {
  /** Where the server is, such as `http://127.0.0.1:8000` or `https://example.com/push`. */
  readonly url: string | URL
  /** The `secret` of the server's configuration. */
  readonly secret: string
  /**
   * Milliseconds for a call with all its repeats; 30 000 if left out. Should be well below the `idempotency_window`
   * of the server, which forgets answers after it.
   */
  readonly deadlineMs?: number
  /** Milliseconds for one attempt, until its answer is complete; 10 000 if left out. */
  readonly timeoutMs?: number
  /** How often a request is sent at most; 10 if left out. 1: nothing is repeated. */
  readonly maxAttempts?: number
  /** Connections to the server at a time; 32 if left out. Further requests wait for one. */
  readonly maxSockets?: number
  /** The largest answer that is read; 64 MiB if left out. A larger one is a `BAD_ANSWER`. */
  readonly maxAnswerBytes?: number
  /** For https: `ca`, `cert`, `key` and such. */
  readonly tls?: https.AgentOptions
}

/** The url, which faults do not repeat: it may hold a password. */
export function readBase(url: string | URL): URL {
  const base = URL.canParse(String(url)) ? new URL(url) : undefined
  const isPlain = base && !base.username && !base.password && !base.search && !base.hash
  if (!isPlain || !/^https?:$/.test(base.protocol))
    throw new TypeError(
      'url has to be http://host or https://host, with port and path where they are needed, without user and query',
    )
  return base
}

/** The secret. One that is missing in the environment of a process would otherwise be the text "undefined". */
export function readSecret(secret: unknown): string {
  if (typeof secret !== 'string' || secret === '')
    throw new TypeError('secret has to be a text that is not empty')
  return secret
}

/** Timers of Node.js that are longer fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Throws a `RangeError` for what no timer can wait. */
export function millisecondsOf(name: string, value: number): number {
  if (!(value > 0 && value <= LONGEST_TIMER_MS))
    throw new RangeError(`${name} has to be above 0 and at most ${LONGEST_TIMER_MS}`)
  return value
}

/** Throws a `RangeError` for anything but whole numbers from 1. */
export function countOf(name: string, value: number): number {
  if (!(Number.isSafeInteger(value) && value >= 1))
    throw new RangeError(`${name} has to be a whole number of at least 1`)
  return value
}

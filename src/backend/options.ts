export interface ChannelstreamOptions {
  /** The url of the server, such as `http://127.0.0.1:8000` or `https://example.com/push`. */
  readonly url: string | URL
  /** The `secret` of the server's configuration. */
  readonly secret: string
  /**
   * Milliseconds for a call including all retries. Default: 30,000. Should be well below the server's
   * `idempotency_window`, after which the server forgets answers.
   */
  readonly deadlineMs?: number
  /** Milliseconds for one attempt, until its answer is complete. Default: 10,000. */
  readonly timeoutMs?: number
  /** Maximum number of attempts. Default: 10. 1: no retries. */
  readonly maxAttempts?: number
  /** Maximum number of connections to the server. Default: 32. Further requests wait for one. */
  readonly maxSockets?: number
  /** The largest answer that is read. Default: 64 MiB. A larger answer is a `BAD_ANSWER`. */
  readonly maxAnswerBytes?: number
  /**
   * Sends messages of calls that are made while a request with messages is under way together, in one request after it.
   * Default: true. See docs/backend.md.
   */
  readonly gatherMessages?: boolean
  /** Options for https. */
  readonly tls?: TlsOptions
  /**
   * Sends requests with this function, such as the global `fetch`, and not with `node:http`. For runtimes without
   * `node:http`. `maxSockets` and `tls` have no effect then.
   */
  readonly fetch?: typeof globalThis.fetch
}

type Pem = string | Uint8Array | (string | Uint8Array)[] | undefined

/** Options of `https.Agent`, in types that need no declarations of Node.js. */
export interface TlsOptions {
  readonly ca?: Pem
  readonly cert?: Pem
  readonly key?: Pem | { pem: string | Uint8Array; passphrase?: string | undefined }[]
  readonly pfx?: Pem | { buf: string | Uint8Array; passphrase?: string | undefined }[]
  readonly crl?: Pem
  readonly passphrase?: string | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the type of a certificate is declared by Node.js
  readonly checkServerIdentity?: ((host: string, certificate: any) => Error | undefined) | undefined
  readonly ciphers?: string | undefined
  readonly sigalgs?: string | undefined
  readonly ecdhCurve?: string | undefined
  readonly minVersion?: 'TLSv1.3' | 'TLSv1.2' | 'TLSv1.1' | 'TLSv1' | undefined
  readonly maxVersion?: 'TLSv1.3' | 'TLSv1.2' | 'TLSv1.1' | 'TLSv1' | undefined
}

/** Reads the url. Errors do not quote it, since it may contain a password. */
export function readBase(url: string | URL): URL {
  const base = URL.canParse(String(url)) ? new URL(url) : undefined
  const isPlain = base && !base.username && !base.password && !base.search && !base.hash
  if (!isPlain || !/^https?:$/.test(base.protocol))
    throw new TypeError(
      'url must be http://host or https://host, optionally with port and path, and without user, query and hash',
    )
  return base
}

/** Reads the secret. Without this check, a missing environment variable would become the text "undefined". */
export function readSecret(secret: unknown): string {
  if (typeof secret !== 'string' || secret === '')
    throw new TypeError('secret must be a non-empty string')
  return secret
}

/** Longer timers of Node.js fire immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Returns the value. Throws a `RangeError` if it is not a valid delay for a timer. */
export function millisecondsOf(name: string, value: number): number {
  if (!(value > 0 && value <= LONGEST_TIMER_MS))
    throw new RangeError(`${name} must be above 0 and at most ${LONGEST_TIMER_MS}`)
  return value
}

/** Returns the value. Throws a `RangeError` if it is not a whole number of at least 1. */
export function countOf(name: string, value: number): number {
  if (!(Number.isSafeInteger(value) && value >= 1))
    throw new RangeError(`${name} must be a whole number of at least 1`)
  return value
}

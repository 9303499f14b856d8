/** One request and its answer over HTTP, within a time and a size. */
import http from 'node:http'
import https from 'node:https'
import type { ClientErrorCode } from './error.ts'

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: http.OutgoingHttpHeaders
  readonly body: string | undefined
}

export interface Bounds {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal: AbortSignal | undefined
}

export interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

/** Why there is no {@link Reply}. */
export class HttpFailure extends Error {
  constructor(
    readonly code: ClientErrorCode,
    message: string,
    override readonly cause?: unknown,
  ) {
    super(message)
  }
}

export interface HttpClientOptions {
  readonly base: URL
  /** Connections open at a time; further requests wait for one. */
  readonly maxSockets: number
  readonly tls: https.AgentOptions
}

/**
 * A line to one server, on connections that are kept open.
 *
 * `node:http` and not `fetch`: that one opens as many connections as there are requests, cannot be told otherwise
 * without a dependency, and took four times as long for small requests (Node.js 20, loopback: 3 300 a second against
 * 17 000, 32 at a time).
 */
export class HttpClient {
  readonly #agent: http.Agent
  readonly #send: typeof http.request
  readonly #base: URL

  constructor({ base, maxSockets, tls }: HttpClientOptions) {
    const isHttps = base.protocol === 'https:'
    // `lifo` lets what is not needed grow idle, and be closed, once a burst is over.
    const options = { keepAlive: true, maxSockets, scheduling: 'lifo' } as const
    this.#agent = isHttps ? new https.Agent({ ...tls, ...options }) : new http.Agent(options)
    this.#send = isHttps ? https.request : http.request
    this.#base = base
  }

  /** Rejects with an {@link HttpFailure}, or with the reason of the signal. Follows no redirect. */
  exchange({ method, path, headers, body }: Outgoing, bounds: Bounds): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.#send(this.#base, { agent: this.#agent, method, path, headers })
      const release = limit(request, bounds, reject)
      request.on('close', release)
      request.on('response', (response) => {
        // What breaks from here on is told by the response; an early answer may leave the request unread.
        request.off('error', onRequestError).on('error', () => {})
        collect(response, bounds.maxBytes).then(resolve, (error: unknown) => {
          request.destroy()
          reject(asFailure(error))
        })
      })
      const onRequestError = (error: Error): void => reject(asFailure(error))
      request.on('error', onRequestError)
      request.end(body)
    })
  }

  /** Cuts every connection. Those that are idle do not keep the process alive, so nobody has to call this. */
  close(): void {
    this.#agent.destroy()
  }
}

/** Breaks off a request that takes too long or is not wanted any more; answers what undoes that. */
function limit(
  request: http.ClientRequest,
  { timeoutMs, signal }: Bounds,
  reject: (reason: unknown) => void,
): () => void {
  const breakOff = (reason: unknown): void => {
    reject(reason)
    request.destroy()
  }
  const onTimeout = (): void =>
    breakOff(new HttpFailure('TIMEOUT', `there was no answer within ${Math.ceil(timeoutMs)} ms`))
  const onAbort = (): void => breakOff(signal?.reason)
  const timer = setTimeout(onTimeout, timeoutMs)
  signal?.addEventListener('abort', onAbort)
  return () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

async function collect(response: http.IncomingMessage, maxBytes: number): Promise<Reply> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBytes)
      throw new HttpFailure('BAD_ANSWER', `the answer is larger than ${maxBytes} bytes`)
    parts.push(part)
  }
  const { statusCode: status = 0, headers } = response
  return { status, headers, text: Buffer.concat(parts).toString() }
}

/** Errors of TLS that say who the server is not: to ask again would not help. */
const WRONG_SERVER = /CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^EPROTO|^UNABLE_TO/

function asFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error
  const cause = error as NodeJS.ErrnoException & { rawPacket?: Buffer }
  const code = cause.code ?? ''
  if (code.startsWith('HPE_')) {
    delete cause.rawPacket // the bytes that came, in which a mirror would show the signature
    return new HttpFailure('BAD_ANSWER', `the answer is not HTTP (${code})`, cause)
  }
  const kind = WRONG_SERVER.test(code) ? 'BAD_ANSWER' : 'UNREACHABLE'
  return new HttpFailure(kind, cause.message || code, cause)
}

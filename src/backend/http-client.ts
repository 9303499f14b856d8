/** Sends HTTP requests, with limits on time and size. */
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

/** The reason why there is no {@link Reply}. */
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
  /** Maximum number of open connections. Further requests wait for one. */
  readonly maxSockets: number
  readonly tls: https.AgentOptions
}

/**
 * An HTTP client for one server, with keep-alive connections.
 *
 * It uses `node:http` and not `fetch`. `fetch` opens one connection per concurrent request, which cannot be changed
 * without a dependency. It also handled fewer small requests (Node.js 20, loopback, 32 at a time: 3,300 per second
 * instead of 17,000).
 */
export class HttpClient {
  readonly #agent: http.Agent
  readonly #send: typeof http.request
  readonly #base: URL

  constructor({ base, maxSockets, tls }: HttpClientOptions) {
    const isHttps = base.protocol === 'https:'
    // With `lifo`, connections that are not needed after a burst become idle and are closed.
    const options = { keepAlive: true, maxSockets, scheduling: 'lifo' } as const
    this.#agent = isHttps ? new https.Agent({ ...tls, ...options }) : new http.Agent(options)
    this.#send = isHttps ? https.request : http.request
    this.#base = base
  }

  /**
   * Sends a request. Rejects with an {@link HttpFailure}, or with the reason of the signal. Does not follow redirects.
   */
  request({ method, path, headers, body }: Outgoing, bounds: Bounds): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.#send(this.#base, { agent: this.#agent, method, path, headers })
      const removeLimits = addLimits(request, bounds, reject)
      request.on('close', removeLimits)
      request.on('response', (response) => {
        // From here on the response reports errors. After an early answer, the rest of the request may fail.
        request.off('error', onRequestError).on('error', () => {})
        collect(response, bounds.maxBytes).then(resolve, (error: unknown) => {
          request.destroy()
          reject(toFailure(error))
        })
      })
      const onRequestError = (error: Error): void => reject(toFailure(error))
      request.on('error', onRequestError)
      request.end(body)
    })
  }

  /** Closes every connection. Calling it is optional: idle connections do not keep the process alive. */
  close(): void {
    this.#agent.destroy()
  }
}

/** Aborts a request on timeout and on its signal. Returns a function that removes these limits. */
function addLimits(
  request: http.ClientRequest,
  { timeoutMs, signal }: Bounds,
  reject: (reason: unknown) => void,
): () => void {
  const abort = (reason: unknown): void => {
    reject(reason)
    request.destroy()
  }
  const onTimeout = (): void =>
    abort(new HttpFailure('TIMEOUT', `there was no answer within ${Math.ceil(timeoutMs)} ms`))
  const onAbort = (): void => abort(signal?.reason)
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

/** TLS errors that mean that it is not the right server. A retry would not help. */
const WRONG_SERVER = /CERT|SELF_SIGNED|^ERR_TLS|^ERR_SSL|^EPROTO|^UNABLE_TO/

function toFailure(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error
  const cause = error as NodeJS.ErrnoException & { rawPacket?: Buffer }
  const code = cause.code ?? ''
  if (code.startsWith('HPE_')) {
    delete cause.rawPacket // the received bytes, which may contain an echo of the signature
    return new HttpFailure('BAD_ANSWER', `the answer is not HTTP (${code})`, cause)
  }
  const kind = WRONG_SERVER.test(code) ? 'BAD_ANSWER' : 'UNREACHABLE'
  return new HttpFailure(kind, cause.message || code, cause)
}

/** Calls endpoints: signs requests, retries them, and reads the answers. */
import { IDEMPOTENCY_HEADER, SIGNATURE_HEADER } from '../protocol/headers.ts'
import { readAnswer, readErrorAnswer } from './answer.ts'
import { CLIENT_ERRORS, ChannelstreamError, isRepeated } from './error.ts'
import { HttpFailure } from './http-client.ts'
import { parseRetryAfter, retry } from './retry.ts'
import type { Endpoint } from './endpoints.ts'
import type { HttpClient, Reply } from './http-client.ts'
import type { Attempt, RetryPolicy, Verdict } from './retry.ts'
import type { Signatures } from './signatures.ts'

export interface CallOptions {
  /** Aborts the call, which then rejects with the reason of the signal. The server may still have run the request. */
  readonly signal?: AbortSignal
  /** Deadline for this call, instead of that of the client. */
  readonly deadlineMs?: number
}

export interface CallerOptions extends RetryPolicy {
  readonly http: HttpClient
  readonly signatures: Signatures
  /** The path prefix of the server, or ''. */
  readonly prefix: string
  readonly maxAnswerBytes: number
}

/** A request. All attempts are the same except for the signature. */
interface Call<Answer> {
  readonly endpoint: Endpoint<Answer>
  readonly body: string | undefined
  readonly key: string | undefined
  readonly signal: AbortSignal | undefined
}

export class Caller {
  readonly #options: CallerOptions

  constructor(options: CallerOptions) {
    this.#options = options
  }

  /** Calls an endpoint. Rejects with a {@link ChannelstreamError}, or with the reason of the signal. */
  async call<Answer>(
    endpoint: Endpoint<Answer>,
    body: unknown,
    options?: CallOptions,
  ): Promise<Answer> {
    return this.callWith(endpoint, body === undefined ? undefined : JSON.stringify(body), options)
  }

  /** The same, with a body that is JSON already. */
  async callWith<Answer>(
    endpoint: Endpoint<Answer>,
    body: string | undefined,
    { signal, deadlineMs = this.#options.deadlineMs }: CallOptions = {},
  ): Promise<Answer> {
    const call: Call<Answer> = {
      endpoint,
      body,
      key: endpoint.isRead ? undefined : `"${crypto.randomUUID()}"`, // the IETF draft requires quotes
      signal,
    }
    const policy = { ...this.#options, deadlineMs }
    return retry((attempt) => this.#attempt(call, attempt), judge, policy, signal)
  }

  async #attempt<Answer>(
    { endpoint, body, key, signal }: Call<Answer>,
    { number, timeoutMs }: Attempt,
  ): Promise<Answer> {
    const { http, signatures, prefix, maxAnswerBytes } = this.#options
    const { method, path, query = '' } = endpoint
    const signature = await signatures.of(path)
    const headers = {
      [SIGNATURE_HEADER]: signature,
      ...(key !== undefined && { [IDEMPOTENCY_HEADER]: key }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const outgoing = { method, path: prefix + path + query, headers, body }
    const where = `${method} ${path}`
    let status: number | undefined
    try {
      const bounds = { timeoutMs, maxBytes: maxAnswerBytes, signal }
      const reply = withoutSignature(await http.request(outgoing, bounds), signature)
      status = reply.status
      if (status >= 400) throw errorOf(where, reply, number)
      return readAnswer(endpoint.answer, reply)
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      const { code, cause } = error
      const message = `${where}: ${CLIENT_ERRORS[code].text} (${error.message})`
      throw new ChannelstreamError(code, message, { status, attempts: number, cause })
    }
  }
}

/**
 * Removes the signature from an answer. A server that echoes requests would otherwise bring it into error messages and
 * logs.
 */
function withoutSignature({ status, headers, text }: Reply, signature: string): Reply {
  const digest = signature.slice(signature.lastIndexOf('.') + 1)
  const hide = (shown: string): string => shown.replaceAll(digest, '[signature]')
  const type = hide(headers['content-type'] ?? '')
  return { status, headers: { ...headers, 'content-type': type }, text: hide(text) }
}

function errorOf(where: string, reply: Reply, attempts: number): ChannelstreamError {
  const { status, headers } = reply
  const { code, complaints, text } = readErrorAnswer(reply)
  const advice = code === 'BAD_SIGNATURE' ? ` ${compareClocks(headers.date)}` : ''
  return new ChannelstreamError(code, `${where} was answered ${status}, ${text}${advice}`, {
    status,
    complaints,
    attempts,
    retryAfterMs: parseRetryAfter(headers['retry-after']),
  })
}

/**
 * A smaller difference of clocks, plus the fraction of a second missing in a `Date`, does not explain a refused
 * signature.
 */
const CLOSE_CLOCKS_SECONDS = 25

/** Returns advice for a refused signature. `date` is the header of the answer. */
function compareClocks(date: string | undefined): string {
  const aheadSeconds = Math.round((Date.parse(date ?? '') - Date.now()) / 1000)
  if (Math.abs(aheadSeconds) < CLOSE_CLOCKS_SECONDS)
    return 'The clocks agree, so the secret differs from that of the server.'
  if (Number.isNaN(aheadSeconds))
    return 'The secret differs from that of the server, or the clocks differ.'
  const relation = aheadSeconds > 0 ? 'ahead of' : 'behind'
  return `The clock of the server is ${Math.abs(aheadSeconds)} seconds ${relation} that of this machine.`
}

function judge(error: unknown): Verdict {
  if (!(error instanceof ChannelstreamError)) return { isRetryable: false, retryAfterMs: 0 }
  return { isRetryable: isRepeated(error), retryAfterMs: error.retryAfterMs }
}

import { ChannelstreamError } from './errors.ts'
import { withTimeout } from './timing.ts'
import type { Credentials, Fetch, ResponseLike } from './transport.ts'

/** A request header, in the form that pages push to `request.headers`. */
export interface RequestHeader {
  name: string
  value: string
}

/** The request that mutators may change and callbacks get. `status` and `responseText` belong to the answer. */
export interface ChannelstreamRequest {
  method: string
  url: string
  body: unknown
  /** A list of names and values. Values may also be set under their names: `request.headers['X-Token'] = token`. */
  headers: RequestHeader[] & Record<string, unknown>
  status: number
  responseText: string
}

/** Changes a request before it is sent. A returned promise is awaited. */
export type Mutator = (request: ChannelstreamRequest) => unknown

export const newRequest = (
  method: string,
  url: string,
  body: unknown = null,
): ChannelstreamRequest => ({
  method,
  url,
  body,
  headers: [] as unknown as ChannelstreamRequest['headers'],
  status: 0,
  responseText: '',
})

export interface SendOptions {
  readonly fetch: Fetch | undefined
  /** For the whole request. */
  readonly timeoutMs?: number
  /** For silence only: a long response on a slow line may take its time. 0: no limit. */
  readonly silenceMs?: () => number
  /** Called when something arrives. */
  readonly alive?: () => void
  readonly signal?: AbortSignal | undefined
  readonly init?: {
    readonly cache?: 'no-store'
    readonly keepalive?: boolean
    readonly credentials?: Credentials
  }
  /** The content type of the body, unless a mutator sets another. */
  readonly contentType?: string
  /**
   * Gets the text of a successful response as it arrives, which is then not collected in `responseText`. Without a body
   * that can be read in pieces, the request fails.
   */
  readonly piece?: (text: string) => Promise<void>
}

/**
 * Sends the request and fills in its `status` and `responseText`. Resolves with the answer: JSON as a value, anything
 * else as text. Rejects with a `ChannelstreamError`, also for an error status.
 */
export async function send(request: ChannelstreamRequest, options: SendOptions): Promise<unknown> {
  let isOk: boolean
  try {
    const { timeoutMs = 0, silenceMs, alive } = options
    isOk = await withTimeout(silenceMs ?? (() => timeoutMs), options.signal, (signal, reset) =>
      fill(request, options, signal, () => {
        if (silenceMs) reset()
        alive?.()
      }),
    )
  } catch (cause) {
    throw failure(request, cause, options.signal)
  }
  const { method, url, status, responseText } = request
  const answer = parsed(responseText)
  if (isOk) return answer
  throw new ChannelstreamError('request', `${method} ${url}: ${status}`, { status, answer })
}

/** Fetches and fills in the answer. Returns whether the status is a success. */
async function fill(
  request: ChannelstreamRequest,
  { fetch = globalThis.fetch, contentType = 'application/json', init, piece }: SendOptions,
  signal: AbortSignal,
  alive: () => void,
): Promise<boolean> {
  const { method, url, body } = request
  const headers = headersOf(request)
  const hasBody = body !== null && body !== undefined
  if (hasBody && !headers.has('content-type')) headers.set('content-type', contentType)
  const response = await fetch(url, {
    ...init,
    method,
    headers: Object.fromEntries(headers),
    ...(hasBody && { body: JSON.stringify(body) }),
    signal,
  })
  alive()
  if (piece && response.ok) await readPieces(response, alive, piece)
  else if (response.body)
    await readPieces(response, alive, (text) => void (request.responseText += text))
  else request.responseText = await response.text()
  request.status = response.status
  // A custom `fetch` may ignore the signal.
  signal.throwIfAborted()
  return response.ok
}

async function readPieces(
  { body }: ResponseLike,
  alive: () => void,
  piece: (text: string) => Promise<void> | void,
): Promise<void> {
  if (!body) throw new TypeError('fetch gives no body')
  const decoder = new TextDecoder()
  for (const reader = body.getReader(); ;) {
    const { done, value } = await reader.read()
    alive()
    await piece(decoder.decode(value, { stream: !done }))
    if (done) return
  }
}

function failure({ method, url }: ChannelstreamRequest, cause: unknown, signal?: AbortSignal) {
  const isLate = cause instanceof DOMException && cause.name === 'TimeoutError'
  const code = signal?.aborted ? 'disconnected' : isLate ? 'timeout' : 'unreachable'
  return new ChannelstreamError(code, `${method} ${url}: ${String(cause)}`, { cause })
}

function headersOf({ headers }: ChannelstreamRequest): Headers {
  const set = new Headers()
  for (const [key, header] of Object.entries(headers as Record<string, unknown>)) {
    if (isHeader(header)) set.set(header.name, header.value)
    else set.set(key, String(header))
  }
  return set
}

const isHeader = (header: unknown): header is RequestHeader =>
  typeof header === 'object' && header !== null && 'name' in header

/** Parses JSON; returns anything else unchanged. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

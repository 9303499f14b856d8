import { ChannelstreamError } from './errors.ts'
import { within } from './timing.ts'
import type { Fetch } from './transport.ts'

/** A request header, in the form that pages push onto `request.headers`. */
export interface RequestHeader {
  name: string
  value: string
}

/** A request as mutators may change it and callbacks are given it. `status` and `responseText` are of the answer. */
export interface ChannelstreamRequest {
  method: string
  url: string
  body: unknown
  /** A list of names and values. Values may also be set under their names: `request.headers['X-Token'] = token`. */
  headers: RequestHeader[] & Record<string, unknown>
  status: number
  responseText: string
}

/** May change a request, or replace its parts, before it is sent. A promise is waited for. */
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

export interface Sending {
  readonly fetch: Fetch | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly init?: { readonly cache?: 'no-store'; readonly keepalive?: boolean }
  /** Of the body, if no mutator says otherwise. */
  readonly contentType?: string
}

/**
 * What is answered: JSON as a value, anything else as text. Fills in `status` and `responseText`. Rejects with a
 * `ChannelstreamError`, also for a status that is no success.
 */
export async function send(request: ChannelstreamRequest, sending: Sending): Promise<unknown> {
  let isOk: boolean
  try {
    isOk = await within(sending.timeoutMs, sending.signal, (signal) =>
      fill(request, sending, signal),
    )
  } catch (cause) {
    throw failure(request, cause, sending.signal)
  }
  const { method, url, status, responseText } = request
  const answer = parsed(responseText)
  if (isOk) return answer
  throw new ChannelstreamError('request', `${method} ${url}: ${status}`, { status, answer })
}

/** Whether it was a success. */
async function fill(
  request: ChannelstreamRequest,
  { fetch = globalThis.fetch, contentType = 'application/json', init }: Sending,
  signal: AbortSignal,
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
  request.responseText = await response.text()
  request.status = response.status
  // A `fetch` that was handed in may not look at signals.
  signal.throwIfAborted()
  return response.ok
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

/** JSON as a value, anything else as it is. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

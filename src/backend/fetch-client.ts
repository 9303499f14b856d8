import { sizeFailure, timeoutFailure, toFailure } from './http-client.ts'
import type { Bounds, HttpClient, Outgoing, Reply } from './http-client.ts'

/** An HTTP client on `fetch`, for runtimes without `node:http`, such as workers. The runtime keeps the connections. */
export class FetchClient implements HttpClient {
  readonly #origin: string
  readonly #fetch: typeof fetch

  constructor(base: URL, fetchOfRuntime: typeof fetch) {
    this.#origin = base.origin
    this.#fetch = fetchOfRuntime
  }

  async request({ method, path, headers, body }: Outgoing, bounds: Bounds): Promise<Reply> {
    const { timeoutMs, maxBytes, signal } = bounds
    const limit = new AbortController()
    const abort = (): void => limit.abort(signal?.reason)
    const timer = setTimeout(() => limit.abort(timeoutFailure(timeoutMs)), timeoutMs)
    signal?.addEventListener('abort', abort)
    // Called as a plain function: browsers refuse a `fetch` with another `this`.
    const send = this.#fetch
    try {
      signal?.throwIfAborted()
      const response = await send(this.#origin + path, {
        ...{ method, headers, redirect: 'manual', signal: limit.signal },
        ...(body !== undefined && { body }),
      })
      const text = await readText(response, maxBytes)
      return { status: response.status, headers: Object.fromEntries(response.headers), text }
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason
      signal?.throwIfAborted()
      throw failureOf(error)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  close(): void {} // the connections belong to the runtime
}

interface Reader {
  read(): Promise<{ readonly done: false; readonly value: Uint8Array } | { readonly done: true }>
  cancel(): Promise<void>
}

async function readText({ body }: Response, maxBytes: number): Promise<string> {
  if (!body) return ''
  const decoder = new TextDecoder()
  const reader = body.getReader() as Reader
  let text = ''
  for (let bytes = 0; ;) {
    const part = await reader.read()
    if (part.done) return text + decoder.decode()
    bytes += part.value.length
    if (bytes > maxBytes) {
      await reader.cancel()
      throw sizeFailure(maxBytes)
    }
    text += decoder.decode(part.value, { stream: true })
  }
}

/** Node's `fetch` has the reason as the cause of its error. */
const failureOf = (error: unknown) =>
  toFailure(error instanceof TypeError && error.cause instanceof Error ? error.cause : error)

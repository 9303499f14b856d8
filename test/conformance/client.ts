import http from 'node:http'
import { signText } from './signing.ts'
import type { Bindings } from './bindings.ts'
import type { RequestParts, Signing } from './scenario.ts'

const PATIENCE_MS = 20_000

export interface Target {
  readonly host: string
  readonly port: number
  readonly secret: string
  /** Resolves when what clients have begun is done, if that can be known. */
  settled?(): Promise<void> | undefined
}

export interface Prepared {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer | undefined
}

export interface Answer {
  readonly status: number | undefined
  /** Repeated headers are joined by line breaks. */
  readonly headers: Record<string, string>
  readonly text: string
  /** Undefined if the text is not JSON. */
  readonly body: unknown
  /** Milliseconds from sending to the last byte. */
  readonly took: number
}

/** Sends the requests of one scenario, each on a new connection, and keeps cookies. */
export class Client {
  readonly #cookies = new Map<string, string>()
  readonly #over = new AbortController()

  constructor(
    readonly target: Target,
    private readonly bindings: Bindings,
  ) {}

  /** `line` is a method and a path, as in `POST /connect`. */
  prepare(line: string, parts: RequestParts): Prepared {
    const space = line.indexOf(' ')
    const method = line.slice(0, space)
    const signature = signatureOf(parts.sign ?? true, this.target.secret)
    const body = this.#body(parts)
    const headers = { ...this.#headers(parts), ...lengthHeader(method, body) }
    if (signature?.in === 'header') headers['x-channelstream-secret'] = signature.text
    const query = Object.entries(parts.query ?? {}).map(([key, value]) =>
      queryPair(key, this.bindings.resolve(value)),
    )
    if (signature?.in === 'query') query.push(queryPair('secret', signature.text))
    return {
      method,
      path: withQuery(this.bindings.fillText(line.slice(space + 1)), query),
      headers,
      body,
    }
  }

  async request(line: string, parts: RequestParts): Promise<Answer> {
    const answer = await exchange(this.target, this.prepare(line, parts), this.#over.signal)
    if (parts.jar) this.#keepCookies(answer.headers['set-cookie'] ?? '')
    return answer
  }

  /** Aborts unanswered requests. */
  close(): void {
    this.#over.abort()
  }

  #headers(parts: RequestParts): Record<string, string> {
    const headers: Record<string, string> = {}
    if (parts.json !== undefined) headers['content-type'] = 'application/json'
    if (parts.form) headers['content-type'] = 'application/x-www-form-urlencoded'
    for (const [name, value] of Object.entries(parts.headers ?? {})) {
      headers[name.toLowerCase()] = this.bindings.fillText(value)
    }
    if (headers['content-type'] === '') delete headers['content-type']
    if (parts.jar && this.#cookies.size) {
      headers.cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    }
    return headers
  }

  #body({ json, raw, hex, form }: RequestParts): Buffer | undefined {
    if (json !== undefined) return Buffer.from(JSON.stringify(this.bindings.fill(json)))
    if (raw !== undefined) return Buffer.from(this.bindings.fillText(raw))
    if (hex !== undefined) return Buffer.from(hex, 'hex')
    if (form !== undefined) return Buffer.from(new URLSearchParams(form).toString())
    return undefined
  }

  #keepCookies(lines: string): void {
    for (const line of lines.split('\n').filter(Boolean)) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const [name = '', ...rest] = pair.split('=')
      const value = rest.join('=')
      const expired = attributes.some((attribute) => /^max-age=(0|-\d+)$/i.test(attribute))
      if (expired || value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
  }
}

function signatureOf(signing: Signing, secret: string) {
  if (signing === false) return undefined
  const how = signing === true ? {} : signing
  if ('text' in how) return { in: how.in ?? 'header', text: how.text }
  const text = signText(how.value ?? 'channelstream', {
    secret: how.secret ?? secret,
    atSeconds: Math.floor(Date.now() / 1000) - (how.age ?? 0),
    epochSeconds: how.epoch ?? 0,
  })
  return { in: how.in ?? 'header', text: how.tamper ? tampered(text) : text }
}

function tampered(text: string): string {
  return text.slice(0, -2) + (text.endsWith('AA') ? 'BB' : 'AA')
}

function lengthHeader(method: string, body: Buffer | undefined): Record<string, string> {
  if (!body && ['GET', 'HEAD', 'OPTIONS'].includes(method)) return {}
  return { 'content-length': String(body?.length ?? 0) }
}

function queryPair(key: string, value: string): string {
  return `${encodeURIComponent(key)}=${encodeURIComponent(value)}`
}

function withQuery(path: string, query: readonly string[]): string {
  if (!query.length) return path
  return path + (path.includes('?') ? '&' : '?') + query.join('&')
}

function exchange(target: Target, prepared: Prepared, signal: AbortSignal): Promise<Answer> {
  const { method, path, headers, body } = prepared
  const { host, port } = target
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host,
        port,
        method,
        path,
        headers: { ...headers, connection: 'close' },
        agent: false,
        signal,
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => resolve(answerOf(response, { parts, begun })))
      },
    )
    request.setTimeout(PATIENCE_MS, () =>
      request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)),
    )
    request.on('error', reject)
    request.end(body)
  })
}

function answerOf(
  response: http.IncomingMessage,
  read: { parts: Buffer[]; begun: number },
): Answer {
  const text = Buffer.concat(read.parts).toString('utf8')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    headers[name] = Array.isArray(value) ? value.join('\n') : (value ?? '')
  }
  const took = Math.round(performance.now() - read.begun)
  return { status: response.statusCode, headers, text, body: parsed(text), took }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

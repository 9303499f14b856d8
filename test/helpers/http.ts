import http from 'node:http'
import { signText } from '../conformance/signing.ts'
import type { ChannelsInfo } from '../../src/protocol/responses.ts'
import type { SignedAs } from '../conformance/signing.ts'

/** Generous, since a busy machine is many times slower than an idle one. Only failing tests wait this long. */
const PATIENCE_MS = 60_000

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  /** Undefined if the text is not JSON. */
  readonly body: unknown
}

export interface Sending {
  readonly headers?: http.OutgoingHttpHeaders
  /** The raw body. */
  readonly body?: string | Buffer
  /** The JSON body, if there is no `body`. */
  readonly json?: unknown
  readonly agent?: http.Agent
  /** The source address, one of this machine. */
  readonly localAddress?: string
  readonly signal?: AbortSignal
}

/** Sends one unsigned request on a new connection. `line` is a method and a path, as in `POST /connect`. */
export function send(server: Address, line: string, sending: Sending = {}): Promise<Answer> {
  const space = line.indexOf(' ')
  const [method, path] = [line.slice(0, space), line.slice(space + 1)]
  const { host, port } = server
  const { headers = {}, agent, localAddress, signal } = sending
  const body = bodyOf(sending)
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host,
        port,
        method,
        path,
        headers: { ...length, ...headers },
        agent: agent ?? false,
        ...(localAddress !== undefined && { localAddress }),
        ...(signal && { signal }),
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => resolve(answerOf(response, Buffer.concat(parts).toString())))
      },
    )
    request.setTimeout(PATIENCE_MS, () =>
      request.destroy(new Error(`${line}: no answer within ${PATIENCE_MS} ms`)),
    )
    request.on('error', reject)
    request.end(body)
  })
}

function bodyOf({ body, json }: Sending): string | Buffer | undefined {
  return body ?? (json === undefined ? undefined : JSON.stringify(json))
}

function answerOf(response: http.IncomingMessage, text: string): Answer {
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: parsed(text),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The head and body of a request, signed with the default secret, as bytes for a raw socket. */
export function signedHead(
  line: string,
  headers: Readonly<Record<string, string | number>>,
): string {
  const all = { Host: 'test', ...signature(), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`${line} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

/** Returns the header that signs a request. */
export function signature({
  value = 'test',
  secret = 'secret',
  ...when
}: Partial<SignedAs> & { value?: string } = {}): { 'x-channelstream-secret': string } {
  return { 'x-channelstream-secret': signText(value, { secret, ...when }) }
}

/** A backend: sends signed requests to a server. */
export class Backend {
  constructor(
    private readonly server: Address,
    private readonly secret = 'secret',
  ) {}

  send(line: string, sending: Sending = {}): Promise<Answer> {
    const headers = { ...signature({ secret: this.secret }), ...sending.headers }
    return send(this.server, line, { ...sending, headers })
  }

  /** Throws if the answer is not 200. */
  async call<Body>(line: string, json?: unknown): Promise<Body> {
    const { status, body, text } = await this.send(line, { json })
    if (status !== 200) throw new Error(`${line}: ${status} ${text.slice(0, 300)}`)
    return body as Body
  }

  /** Connects a user. Resolves with the conn_id. */
  async connect(username: string, channels: readonly string[] = [], more: object = {}) {
    const request = { username, channels, ...more }
    return (await this.call<{ conn_id: string }>('POST /connect', request)).conn_id
  }

  /** Like `connect`, when the store was unavailable just before: retries after a 503, as backends do. */
  async connectOnceBack(username: string, channels: readonly string[] = []): Promise<string> {
    const json = { username, channels, conn_id: crypto.randomUUID() }
    await until(
      async () => {
        const { status, text } = await this.send('POST /connect', { json })
        if (status !== 200 && status !== 503) throw new Error(`POST /connect: ${status} ${text}`)
        return status === 200
      },
      'the store to be back',
      PATIENCE_MS,
    )
    return json.conn_id
  }

  /** Posts one message with `text` to a channel. */
  async say(channel: string, text: string, more: object = {}): Promise<void> {
    await this.call('POST /message', [{ user: 'backend', channel, message: { text }, ...more }])
  }

  /** Posts one message for each text, in as few requests as their size allows. */
  async sayAll(channel: string, texts: readonly string[], more: object = {}): Promise<void> {
    const messages = texts.map((text) => ({ user: 'backend', channel, message: { text }, ...more }))
    const length = JSON.stringify(messages[0] ?? '').length
    const most = Math.min(100, Math.max(1, Math.floor(900_000 / length)))
    for (let at = 0; at < messages.length; at += most)
      await this.call('POST /message', messages.slice(at, at + most))
  }

  info(): Promise<ChannelsInfo> {
    return this.call<ChannelsInfo>('POST /info')
  }

  /** The whole visible state of the server, to check that an action changes nothing. */
  async facts(): Promise<unknown> {
    const overview = await this.call<object>('POST /admin/admin.json')
    return [await this.info(), { ...overview, uptime: undefined }]
  }
}

/** The longer a wait takes, the less often it is polled: polling costs CPU, especially when it calls a server. */
const MOST_BETWEEN_LOOKS_MS = 50
const SHARE_BETWEEN_LOOKS = 0.05

/** Polls until `check` is true. Fails with `what` on timeout. */
export async function until(
  check: () => boolean | Promise<boolean>,
  what: string,
  withinMs = PATIENCE_MS / 2,
): Promise<void> {
  const begun = performance.now()
  for (;;) {
    const isTrue = check()
    if (await isTrue) return
    const passed = performance.now() - begun
    if (passed > withinMs) throw new Error(`waited ${withinMs} ms for: ${what}`)
    const share = typeof isTrue === 'boolean' ? 0 : passed * SHARE_BETWEEN_LOOKS
    await pause(Math.min(Math.max(share, 5), MOST_BETWEEN_LOOKS_MS))
  }
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, ms))

/** Resolves with the result of `work`, or fails with `what` on timeout. */
export async function within<Value>(
  work: Promise<Value>,
  what: string,
  withinMs = PATIENCE_MS / 2,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms for: ${what}`)), withinMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

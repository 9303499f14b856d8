import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { WebSocket } from 'ws'
import { until } from '../helpers/http.ts'
import type http from 'node:http'
import type { Socket } from 'node:net'

const PATIENCE_MS = 30_000

export interface Heard {
  readonly text: string
  readonly isBinary: boolean
}

/** A handshake that was refused, or a plain answer. */
export interface Refused {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** A Philote client: a WebSocket that records what it receives. */
export class Client {
  readonly inbox: Heard[] = []
  readonly pongs: string[] = []
  ending: { readonly code: number; readonly reason: string } | undefined
  /** The answer of the server if it refused the handshake. */
  refused: Refused | undefined
  readonly socket: WebSocket

  private constructor(
    readonly name: string,
    url: string,
    options: { headers: Record<string, string>; perMessageDeflate: boolean },
  ) {
    this.socket = new WebSocket(url, { ...options, handshakeTimeout: PATIENCE_MS })
    this.socket.on('error', () => {}) // a close follows
    this.socket.on('message', (data: Buffer, isBinary) =>
      this.inbox.push({ text: data.toString(), isBinary }),
    )
    this.socket.on('pong', (data) => this.pongs.push(data.toString()))
    this.socket.on('close', (code, reason) => (this.ending = { code, reason: reason.toString() }))
  }

  /** Resolves when the handshake has succeeded or failed. */
  static async dial(
    name: string,
    url: string,
    { headers = {}, deflate = false }: { headers?: Record<string, string>; deflate?: boolean } = {},
  ): Promise<Client> {
    const client = new Client(name, url, { headers, perMessageDeflate: deflate })
    client.socket.on('unexpected-response', (request, response) => {
      void answerOf(response).then((refused) => {
        client.refused = refused
        request.destroy()
      })
    })
    const isOver = (): boolean => client.isOpen || client.refused !== undefined || !!client.ending
    await until(isOver, `the handshake of ${name}`, PATIENCE_MS)
    if (!client.isOpen && !client.refused && client.ending?.code === undefined)
      throw new Error(`${name} could not connect`)
    return client
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  /** The connection under the WebSocket. */
  get tcp(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket
  }

  /** Resolves when the frame has been written to the network. */
  async send(data: string | Buffer, isBinary = false): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.socket.send(data, { binary: isBinary }, (error) => (error ? reject(error) : resolve())),
    )
  }

  say(channel: string, data: string): Promise<void> {
    return this.send(JSON.stringify({ channel, data }))
  }

  /** Waits for the next message, and removes it from the queue. */
  async next(withinMs = PATIENCE_MS): Promise<Heard> {
    await until(
      () => this.inbox.length > 0 || this.ending !== undefined,
      `a message on ${this.name}`,
      withinMs,
    )
    const heard = this.inbox.shift()
    if (!heard)
      throw new Error(`${this.name} was closed with ${this.ending?.code}, and heard nothing`)
    return heard
  }

  /** Returns the next message as JSON. */
  async nextJson(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.next()).text) as Record<string, unknown>
  }

  async closed(
    withinMs = PATIENCE_MS,
  ): Promise<{ readonly code: number; readonly reason: string }> {
    await until(() => this.ending !== undefined, `${this.name} to be closed`, withinMs)
    return this.ending ?? { code: 0, reason: '' }
  }
}

export function answerOf(response: http.IncomingMessage): Promise<Refused> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    const finish = (): void =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(parts).toString(),
      })
    response.on('data', (part: Buffer) => parts.push(part))
    response.on('end', finish)
    response.on('error', finish)
  })
}

export interface TokenParts {
  readonly claims?: object | undefined
  /** `null` omits it. */
  readonly alg?: string | null
  readonly secret?: string
  readonly header?: object
  /** The algorithm that is actually used to sign. */
  readonly signAs?: string
  readonly rawHeader?: string
  readonly rawClaims?: string
}

const HASHES: Readonly<Record<string, string>> = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
}
let rsaKey: ReturnType<typeof generateKeyPairSync>['privateKey'] | undefined

/** Makes a JSON Web Token, valid or not. */
export function signToken({ alg = 'HS256', ...parts }: TokenParts, secret: string): string {
  const header: Record<string, unknown> = { alg, typ: 'JWT', ...parts.header }
  if (header['alg'] === null) delete header['alg']
  const claims = parts.rawClaims ?? JSON.stringify(parts.claims ?? {})
  const head = [parts.rawHeader ?? JSON.stringify(header), claims]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')
  return `${head}.${signatureOf(head, parts.signAs ?? alg, parts.secret ?? secret)}`
}

function signatureOf(head: string, algorithm: string | null, secret: string): string {
  const hash = HASHES[algorithm ?? '']
  if (hash !== undefined) return createHmac(hash, secret).update(head).digest('base64url')
  if (algorithm !== 'RS256') return ''
  rsaKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return sign('sha256', Buffer.from(head), rsaKey).toString('base64url')
}

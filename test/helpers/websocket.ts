import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { WebSocket } from 'ws'
import { until, within } from './http.ts'
import { Received } from './received.ts'
import type { Address } from './http.ts'
import type { ReceivedEvent } from './received.ts'

export type { ReceivedEvent } from './received.ts'

export interface Ending {
  readonly code: number
  readonly reason: string
}

const clients = new Set<{ destroy(): void }>()

/** Call it after the tests of a file. Cuts clients that are still open. */
export function closeClients(): void {
  for (const client of clients) client.destroy()
  clients.clear()
}

export interface Opening {
  readonly cursor?: string
  readonly hello?: string
  /** The path prefix before `/ws`. */
  readonly prefix?: string
  readonly headers?: Record<string, string>
  readonly autoPong?: boolean
}

/** A client like in a browser: opens `/ws` and records what it receives. */
export class Listener extends Received {
  /** Each received frame, including heartbeats. */
  readonly frames: string[] = []
  readonly closed: Promise<Ending>
  ending: Ending | undefined
  readonly #socket: WebSocket

  private constructor(url: string, { headers, autoPong = true }: Opening) {
    super()
    this.#socket = new WebSocket(url, {
      perMessageDeflate: false,
      autoPong,
      ...(headers && { headers }),
    })
    this.#socket.on('error', () => {}) // a close follows
    this.#socket.on('message', (data: Buffer) => this.#receive(data.toString()))
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', (code, reason) => {
        this.ending = { code, reason: reason.toString() }
        resolve(this.ending)
      })
    })
    clients.add(this)
  }

  /** Resolves after the handshake. Rejects if it is refused. */
  static async open(server: Address, connId: string, opening: Opening = {}): Promise<Listener> {
    const { prefix = '', cursor, hello } = opening
    const query = new URLSearchParams({
      conn_id: connId,
      ...(cursor !== undefined && { cursor }),
      ...(hello !== undefined && { hello }),
    })
    const url = `ws://${server.host}:${server.port}${prefix}/ws?${query.toString()}`
    const listener = new Listener(url, opening)
    await within(listener.#opened(), 'the handshake')
    return listener
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('open', resolve)
      this.#socket.once('unexpected-response', (_request, response) =>
        reject(new Error(`handshake refused with ${response.statusCode}`)),
      )
      this.#socket.once('close', () => reject(new Error('no handshake')))
    })
  }

  get beats(): number {
    return this.frames.filter((frame) => frame === '[]').length
  }

  send(data: string | Buffer): void {
    this.#socket.send(data)
  }

  /** Closes the WebSocket with a close frame. */
  async close(code = 1000): Promise<Ending> {
    this.#socket.close(code)
    return this.closed
  }

  /** Drops the connection without a close frame. */
  async breakOff(): Promise<void> {
    this.#socket.terminate()
    await this.closed
  }

  destroy(): void {
    this.#socket.terminate()
  }

  #receive(frame: string): void {
    this.frames.push(frame)
    this.events.push(...(JSON.parse(frame) as ReceivedEvent[]))
  }
}

/** A TCP connection that does only what the test tells it. */
export class RawClient {
  readonly closed: Promise<void>
  isClosed = false
  /** The server has ended its side of the connection. */
  isEnded = false
  readonly #socket: net.Socket
  readonly #parts: Buffer[] = []

  private constructor({ host, port }: Address) {
    this.#socket = net.connect({ host, port, allowHalfOpen: true })
    this.#socket.on('data', (part: Buffer) => this.#parts.push(part))
    this.#socket.on('end', () => (this.isEnded = true))
    this.#socket.on('error', () => {}) // a close follows
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.isClosed = true
        resolve()
      })
    })
    clients.add(this)
  }

  static async connect(server: Address): Promise<RawClient> {
    const client = new RawClient(server)
    await within(new Promise((resolve) => client.#socket.once('connect', resolve)), 'a connection')
    return client
  }

  /** Opens a WebSocket that never answers: no pong, no close. */
  static async openWebSocket(server: Address, connId: string): Promise<RawClient> {
    const client = await RawClient.connect(server)
    client.write(handshake(`/ws?conn_id=${connId}`))
    await until(() => client.text.includes('\r\n\r\n'), 'the handshake')
    if (client.status !== 101) throw new Error(client.text)
    return client
  }

  /** The server has ended its side or cut the connection. */
  get isOver(): boolean {
    return this.isEnded || this.isClosed
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.text)?.[1] ?? 0)
  }

  /** The body of the answer, parsed as JSON; undefined if it is not JSON. */
  get body(): unknown {
    const { text } = this
    try {
      return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as unknown
    } catch {
      return undefined
    }
  }

  get frames(): ServerFrame[] {
    const { bytes } = this
    return readFrames(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4))
  }

  /** The code of the close frame that the server sent. */
  get closeCode(): number | undefined {
    return this.frames.find(({ opcode }) => opcode === 8)?.payload.readUInt16BE(0)
  }

  write(bytes: string | Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  /** Bytes that were written but not sent yet. */
  get unsent(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength
  }

  /** Ends the sending side. */
  end(): void {
    this.#socket.end()
  }

  /** Resets the connection, which the server notices at once. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Stops reading, so that the buffers of the network fill up. */
  stopReading(): void {
    this.#socket.pause()
  }

  readOn(): void {
    this.#socket.resume()
  }

  /** Resolves with the status of the answer. */
  async answered(withinMs?: number): Promise<number> {
    await until(() => this.status > 0 || this.isClosed, 'an answer', withinMs)
    return this.status
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Returns the head of a WebSocket upgrade request. Undefined headers are left out. */
export function handshake(
  target: string,
  headers: Readonly<Record<string, string | undefined>> = {},
): string {
  const all = {
    Host: 'test',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return [`GET ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameParts {
  readonly opcode: number
  readonly payload?: Buffer | string
  readonly fin?: boolean
  /** The reserved bits for extensions, such as 0x40 for RSV1. */
  readonly reserved?: number
  /** The length in the header, if it differs from that of the payload. */
  readonly announced?: number
}

/** Returns a masked client frame. */
export function clientFrame(parts: FrameParts): Buffer {
  const payload = Buffer.from(parts.payload ?? '')
  const mask = randomBytes(4)
  const first = (parts.fin === false ? 0 : 0x80) | (parts.reserved ?? 0) | parts.opcode
  return Buffer.concat([
    Buffer.from([first]),
    lengthBytes(parts.announced ?? payload.length),
    mask,
    payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)),
  ])
}

function lengthBytes(length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | length])
  const bytes = Buffer.alloc(length > 0xffff ? 9 : 3)
  bytes[0] = 0x80 | (length > 0xffff ? 127 : 126)
  if (length > 0xffff) bytes.writeBigUInt64BE(BigInt(length), 1)
  else bytes.writeUInt16BE(length, 1)
  return bytes
}

export interface ServerFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** Parses the complete frames at the start of the received bytes. */
function readFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = []
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = (bytes[at + 1] ?? 0) & 0x7f
    const header = short === 127 ? 10 : short === 126 ? 4 : 2
    if (at + header > bytes.length) break
    const length =
      short === 127
        ? Number(bytes.readBigUInt64BE(at + 2))
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : short
    if (at + header + length > bytes.length) break
    const payload = bytes.subarray(at + header, at + header + length)
    frames.push({ opcode: (bytes[at] ?? 0) & 0x0f, payload })
    at += header + length
  }
  return frames
}

import http from 'node:http'
import { WebSocket } from 'ws'
import { show } from './matcher.ts'

export interface Ending {
  /** The close code, or `refused` if there was no handshake. */
  readonly code: number | 'refused'
  readonly status?: number | undefined
  readonly reason?: string
}

interface Received {
  readonly frame: number
  readonly message: unknown
}

/** A WebSocket or an event stream, and its received messages, read one by one. */
export abstract class Socket {
  /** Resolves when the handshake has succeeded or failed. */
  readonly settled: Promise<boolean>
  /** Errors in the format of frames. */
  readonly faults: string[] = []
  /** When empty frames arrived. */
  readonly beats: number[] = []
  openedAt: number | undefined
  ending: Ending | undefined
  frameCount = 0
  pongCount = 0

  readonly #received: Received[] = []
  #readCount = 0
  readonly #watchers = new Set<() => void>()

  constructor() {
    this.settled = this.until(() => this.openedAt !== undefined || !!this.ending, 60_000)
  }

  get unread(): readonly unknown[] {
    return this.#received.slice(this.#readCount).map(({ message }) => message)
  }

  take(count: number): readonly Received[] {
    const taken = this.#received.slice(this.#readCount, this.#readCount + count)
    this.#readCount += taken.length
    return taken
  }

  /** Resolves with whether `check` became true in time. Checks again after each event on the socket. */
  async until(check: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs
    while (!check()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      await this.#nextEvent(leftMs)
    }
    return true
  }

  abstract send(data: string | Buffer): void
  abstract ping(): void
  abstract close(code: number): void
  abstract kill(): void

  protected note(change: () => void): void {
    change()
    for (const wake of this.#watchers) wake()
  }

  protected receive(text: string, isBinary = false): void {
    const frame = this.frameCount++
    if (isBinary) this.faults.push(`frame ${frame} is binary`)
    const list = listOf(text)
    if (!list) return void this.faults.push(`frame ${frame} is no JSON list: ${show(text, 200)}`)
    if (!list.length) this.beats.push(performance.now())
    for (const message of list) this.#received.push({ frame, message })
  }

  #nextEvent(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        this.#watchers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, withinMs)
      this.#watchers.add(wake)
    })
  }
}

export class WebSocketClient extends Socket {
  readonly #socket: WebSocket

  constructor(url: string, headers: Record<string, string>) {
    super()
    this.#socket = new WebSocket(url, { perMessageDeflate: false, headers, handshakeTimeout: 8000 })
    this.#listen()
  }

  send(data: string | Buffer): void {
    this.#socket.send(data)
  }

  ping(): void {
    this.#socket.ping('hello')
  }

  close(code: number): void {
    this.#socket.close(code)
  }

  kill(): void {
    this.#socket.terminate()
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('open', () => this.note(() => (this.openedAt = performance.now())))
    socket.on('message', (data: Buffer, isBinary) =>
      this.note(() => this.receive(data.toString('utf8'), isBinary)),
    )
    socket.on('pong', () => this.note(() => this.pongCount++))
    socket.on('close', (code, reason) =>
      this.note(() => (this.ending ??= { code, reason: reason.toString('utf8') })),
    )
    socket.on('unexpected-response', (_request, response) => {
      this.note(() => (this.ending = { code: 'refused', status: response.statusCode }))
      socket.terminate()
    })
    socket.on('error', () => {}) // a close follows, which the steps check
  }
}

/** The same over `/sse`. It cannot send, and its comments are no frames. */
export class EventStreamClient extends Socket {
  readonly #request: http.ClientRequest
  #rest = ''

  constructor(url: string, headers: Record<string, string>) {
    super()
    this.#request = http.get(url, { headers, agent: false })
    this.#request.on('error', () => {}) // a close follows
    this.#request.on('close', () => this.note(() => (this.ending ??= { code: 1006 })))
    this.#request.on('response', (response) => {
      const status = response.statusCode
      if (status !== 200) this.note(() => (this.ending = { code: 'refused', status }))
      response.on('error', () => {})
      response.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    })
  }

  send(): never {
    throw new Error('an event stream cannot send')
  }

  ping(): never {
    return this.send()
  }

  close(): never {
    return this.send()
  }

  kill(): void {
    this.#request.destroy()
  }

  #read(text: string): void {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const [, list] = /^id: .*\ndata: (.*)$/.exec(block) ?? []
      if (list !== undefined) this.note(() => this.receive(list))
      else if (block.startsWith('event: hello'))
        this.note(() => (this.openedAt = performance.now()))
      else if (!/^(:|retry: \d+)$/.test(block)) this.faults.push(`not understood: ${block}`)
    }
  }
}

function listOf(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

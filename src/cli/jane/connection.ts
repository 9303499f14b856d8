/** Jane's connection to the server. It reconnects with a new socket. */
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { backoffMs } from '../../lib/backoff.ts'
import { reasonOf } from '../../lib/reason.ts'
import { AnswerError, readAnswer } from '../answer.ts'

export interface JaneConnectionOptions {
  readonly url: string
  readonly token: string
  /** Called for each frame that arrives. */
  readonly onText: (text: string) => void
  /** Called with messages about lost and restored connections. */
  readonly onStatus: (sentence: string) => void
}

const HANDSHAKE_TIMEOUT_MS = 10_000
/** The interval of pings. If nothing answers a ping before the next one is due, the socket is closed. */
const HEARTBEAT_MS = 20_000
const RECONNECT = { firstMs: 500, mostMs: 15_000 }
/** A connection that is lost sooner counts as one more failure, so the pauses before reconnecting keep growing. */
const STABLE_MS = 10_000
const CLOSE_TIMEOUT_MS = 1000
/**
 * After this many lines, sending waits until the server has confirmed them all and this time has passed. This rate is
 * far below the rate limit of servers.
 */
const ROUND_LINES = 100
const ROUND_MS = 100

/**
 * A connection that reconnects automatically. Pings confirm how far the server has read: a pong arrives after the
 * server has read everything sent before the ping. Lines that are unconfirmed when a connection breaks are in doubt.
 * They are not sent again, since they could then arrive twice.
 */
export class JaneConnection {
  #socket: WebSocket | undefined
  #ending: Promise<string> | undefined
  #openedAt = 0
  #failures = 0
  #sent = 0
  #confirmed = 0
  #inDoubt = 0
  /** Whether a ping is unanswered. */
  #isPingPending = false
  /** `change`: a line was confirmed, or a connection opened or ended. */
  readonly #events = new EventEmitter()
  readonly #closing = new AbortController()

  constructor(private readonly options: JaneConnectionOptions) {}

  /** Number of lines that were sent and may not have arrived. */
  get inDoubt(): number {
    return this.#inDoubt
  }

  /** Resolves when connected. Rejects with `AnswerError`, or with why there is no connection. */
  async open(): Promise<void> {
    const { url, token, onText } = this.options
    const socket = new WebSocket(url, {
      headers: { Authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
    })
    this.#socket = socket
    socket.on('message', (data: Buffer) => onText(data.toString()))
    await opened(socket)
    this.#ending = this.#watch(socket)
    this.#openedAt = performance.now()
    this.#events.emit('change')
  }

  /**
   * Reconnects whenever the connection is lost, from the first `open` to `close`. Rejects if the server refuses the
   * token.
   */
  async keepConnected(): Promise<never> {
    for (;;) {
      const ending = await this.#ending
      this.#closing.signal.throwIfAborted()
      if (performance.now() - this.#openedAt > STABLE_MS) this.#failures = 0
      await this.#reconnect(`connection lost (${ending})${this.#giveUpLines()}`)
    }
  }

  /** Resolves when the line is handed to the network. Waits while there is no connection. */
  async send(channel: string, data: string): Promise<void> {
    if (this.#sent > 0 && this.#sent % ROUND_LINES === 0)
      await Promise.all([this.settle(), pause(ROUND_MS)])
    while (this.#socket?.readyState !== WebSocket.OPEN) await once(this.#events, 'change')
    this.#socket.send(JSON.stringify({ channel, data }))
    this.#sent++
    this.#ping(this.#socket)
  }

  /** Resolves when each line that was sent is confirmed or in doubt. */
  async settle(): Promise<void> {
    while (this.#confirmed < this.#sent) await once(this.#events, 'change')
  }

  /** Closes the connection. The server has a second to answer the close. */
  async close(): Promise<void> {
    this.#closing.abort()
    const socket = this.#socket
    if (!socket || socket.readyState === WebSocket.CLOSED) return
    if (socket.readyState === WebSocket.CONNECTING) return socket.terminate()
    socket.close(1000)
    await Promise.race([this.#ending, pause(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
    socket.terminate()
  }

  /** Sends pings and handles pongs. Resolves with the close code and reason when the socket closes. */
  async #watch(socket: WebSocket): Promise<string> {
    let isAlive = true
    this.#isPingPending = false
    const timer = setInterval(() => {
      if (!isAlive) return socket.terminate()
      isAlive = false
      this.#ping(socket)
    }, HEARTBEAT_MS)
    socket.on('pong', (data) => {
      isAlive = true
      this.#isPingPending = false
      this.#confirm(Number(data.toString()))
      if (this.#confirmed < this.#sent) this.#ping(socket)
    })
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    clearInterval(timer)
    return `${code} ${reason.toString()}`.trim()
  }

  /**
   * Sends one ping at a time, since servers close clients that send too many. The pong confirms the lines read so far.
   */
  #ping(socket: WebSocket): void {
    if (this.#isPingPending) return
    this.#isPingPending = true
    socket.ping(String(this.#sent))
  }

  #confirm(line: number): void {
    if (line > this.#confirmed && line <= this.#sent) this.#confirmed = line
    this.#events.emit('change')
  }

  /** Counts unconfirmed lines as in doubt. Returns a note about them, or ''. */
  #giveUpLines(): string {
    const lines = this.#sent - this.#confirmed
    this.#inDoubt += lines
    this.#confirm(this.#sent)
    return lines === 0 ? '' : `; lines that may not have arrived: ${lines}`
  }

  async #reconnect(firstProblem: string): Promise<void> {
    for (let problem = firstProblem; ;) {
      const delayMs = backoffMs(this.#failures++, RECONNECT)
      this.options.onStatus(`${problem}; reconnecting in ${(delayMs / 1000).toFixed(1)} s`)
      await pause(delayMs, undefined, { signal: this.#closing.signal })
      try {
        await this.open()
        return this.options.onStatus('reconnected')
      } catch (error) {
        if (error instanceof AnswerError && error.isFinal) throw error
        problem = `no connection (${reasonOf(error)})`
      }
    }
  }
}

/**
 * Resolves when the socket is open. Rejects with `AnswerError` if the server answers the handshake with an HTTP
 * response.
 */
function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject) // an error on an open socket is followed by a close
    socket.once('unexpected-response', (request, response) => {
      readAnswer(response)
        .then((answer) => reject(new AnswerError(answer)), reject)
        .finally(() => request.destroy())
    })
  })
}

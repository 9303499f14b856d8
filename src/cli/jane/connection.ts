/** Jane's connection to the server: one socket after the other. */
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { reasonOf } from '../../lib/reason.ts'
import { AnswerError, readAnswer } from '../answer.ts'

export interface JaneConnectionOptions {
  readonly url: string
  readonly token: string
  /** A frame came. */
  readonly onText: (text: string) => void
  /** Sentences about connections that were lost, and are back. */
  readonly onNews: (sentence: string) => void
}

const HANDSHAKE_TIMEOUT_MS = 10_000
/** How often it is looked whether the server is still there. One that went in silence is given up after the second time. */
const HEARTBEAT_MS = 20_000
const RETRY_FIRST_MS = 500
const RETRY_MOST_MS = 15_000
/** Who drops us sooner gets the longer pauses of a server that is not there. */
const STABLE_MS = 10_000
const CLOSE_PATIENCE_MS = 1000
/** After so many lines the server has to have them all, and so long has to have passed: far less than servers take. */
const ROUND_LINES = 100
const ROUND_MS = 100

/**
 * A connection that comes back by itself. Pings ask how far the server has read: their answers come after what was sent
 * before them. What was not answered when a connection broke is not sent again, since it could be told twice: it is in doubt.
 */
export class JaneConnection {
  #socket: WebSocket | undefined
  #ending: Promise<string> | undefined
  #openedAt = 0
  #failures = 0
  #sent = 0
  #confirmed = 0
  #inDoubt = 0
  /** Whether a ping is on its way. */
  #isAsking = false
  /** `change`: a line was confirmed, or a connection opened or ended. */
  readonly #events = new EventEmitter()
  readonly #closing = new AbortController()

  constructor(private readonly options: JaneConnectionOptions) {}

  /** How many lines were sent of which it is not known whether the server has them. */
  get inDoubt(): number {
    return this.#inDoubt
  }

  /** Resolves once connected. Rejects with `AnswerError`, or with why there is no connection. */
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
    this.#ending = this.#attend(socket)
    this.#openedAt = performance.now()
    this.#events.emit('change')
  }

  /** Sees to it that there is a connection, from the first `open` to `close`. Rejects if the server refuses us by then. */
  async keep(): Promise<never> {
    for (;;) {
      const ending = await this.#ending
      this.#closing.signal.throwIfAborted()
      if (performance.now() - this.#openedAt > STABLE_MS) this.#failures = 0
      await this.#comeBack(`connection lost (${ending})${this.#giveUpLines()}`)
    }
  }

  /** Resolves once the line is handed to the network; waits for as long as there is no connection. */
  async send(channel: string, data: string): Promise<void> {
    if (this.#sent > 0 && this.#sent % ROUND_LINES === 0)
      await Promise.all([this.settle(), pause(ROUND_MS)])
    while (this.#socket?.readyState !== WebSocket.OPEN) await once(this.#events, 'change')
    this.#socket.send(JSON.stringify({ channel, data }))
    this.#sent++
    this.#ask(this.#socket)
  }

  /** Resolves once each line that was sent is confirmed or in doubt. */
  async settle(): Promise<void> {
    while (this.#confirmed < this.#sent) await once(this.#events, 'change')
  }

  /** Says good-bye to the server, which has a second to answer. */
  async close(): Promise<void> {
    this.#closing.abort()
    const socket = this.#socket
    if (!socket || socket.readyState === WebSocket.CLOSED) return
    if (socket.readyState === WebSocket.CONNECTING) return socket.terminate()
    socket.close(1000)
    await Promise.race([this.#ending, pause(CLOSE_PATIENCE_MS, undefined, { ref: false })])
    socket.terminate()
  }

  /** Resolves with how the socket ended. */
  async #attend(socket: WebSocket): Promise<string> {
    let isAlive = true
    this.#isAsking = false
    const timer = setInterval(() => {
      if (!isAlive) return socket.terminate()
      isAlive = false
      this.#ask(socket)
    }, HEARTBEAT_MS)
    socket.on('pong', (data) => {
      isAlive = true
      this.#isAsking = false
      this.#confirm(Number(data.toString()))
      if (this.#confirmed < this.#sent) this.#ask(socket)
    })
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    clearInterval(timer)
    return `${code} ${reason.toString()}`.trim()
  }

  /** Which lines have been read; one question at a time, since servers drop who asks many at once. */
  #ask(socket: WebSocket): void {
    if (this.#isAsking) return
    this.#isAsking = true
    socket.ping(String(this.#sent))
  }

  #confirm(line: number): void {
    if (line > this.#confirmed && line <= this.#sent) this.#confirmed = line
    this.#events.emit('change')
  }

  /** Counts lines without an answer as in doubt; what there is to say of them. */
  #giveUpLines(): string {
    const lines = this.#sent - this.#confirmed
    this.#inDoubt += lines
    this.#confirm(this.#sent)
    return lines === 0 ? '' : `; lines that may not have arrived: ${lines}`
  }

  async #comeBack(news: string): Promise<void> {
    for (let problem = news; ;) {
      const delayMs = retryDelay(this.#failures++)
      this.options.onNews(`${problem}; connecting again in ${(delayMs / 1000).toFixed(1)} s`)
      await pause(delayMs, undefined, { signal: this.#closing.signal })
      try {
        await this.open()
        return this.options.onNews('connected again')
      } catch (error) {
        if (error instanceof AnswerError && error.isFinal) throw error
        problem = `no connection (${reasonOf(error)})`
      }
    }
  }
}

/** Rejects with `AnswerError` if the server answers something else. */
function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject) // once it is open, a close follows
    socket.once('unexpected-response', (request, response) => {
      readAnswer(response)
        .then((answer) => reject(new AnswerError(answer)), reject)
        .finally(() => request.destroy())
    })
  })
}

/** Longer and longer, and never for all clients at the same moment. */
const retryDelay = (failures: number): number =>
  Math.min(RETRY_FIRST_MS * 2 ** failures, RETRY_MOST_MS) * (0.5 + Math.random() / 2)

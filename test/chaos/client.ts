import { WebSocket } from 'ws'
import { pause, send } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'
import type { Fleet } from './fleet.ts'
import type { Chance } from './random.ts'

/** Heartbeats come every second. After this silence, the server is considered dead, as in the client library. */
const SILENCE_MS = 4_000
const POLL_PATIENCE_MS = 8_000
const RETRY_MS = 100
/** The close code for an unknown connection. */
const UNKNOWN = 1000

/** Listens like a browser. Reconnects to a random server when the connection is lost. */
export class ChaosClient {
  readonly events: ReceivedEvent[] = []
  /** Refusals, which must not happen to an existing connection. */
  readonly refusals: string[] = []
  connections = 0
  #isOver = false
  #socket: WebSocket | undefined
  readonly #abort = new AbortController()
  readonly #done: Promise<void>

  constructor(
    readonly user: string,
    readonly connId: string,
    private readonly how: { readonly fleet: Fleet; readonly chance: Chance; readonly kind: Kind },
  ) {
    this.#done = this.#listen()
  }

  /** Stops receiving. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#socket?.terminate()
    this.#abort.abort()
    await this.#done
  }

  async #listen(): Promise<void> {
    while (!this.#isOver) {
      this.connections++
      if (this.how.kind === 'socket') await this.#hearSocket()
      else await this.#poll()
      if (!this.#isOver) await pause(this.how.chance.between(0, 2 * RETRY_MS))
    }
  }

  get #query(): string {
    const cursor = this.events.at(-1)?.id
    return `conn_id=${this.connId}${cursor === undefined ? '' : `&cursor=${cursor}`}`
  }

  async #hearSocket(): Promise<void> {
    const { port } = this.how.fleet.any(this.how.chance)
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?${this.#query}`)
    this.#socket = socket
    let heardAt = performance.now()
    const watch = setInterval(() => {
      if (performance.now() - heardAt > SILENCE_MS) socket.terminate()
    }, 500)
    socket.on('error', () => {}) // a close follows
    socket.on('message', (data: Buffer) => {
      heardAt = performance.now()
      // Ignores messages that arrive after the end.
      if (!this.#isOver) this.#take(JSON.parse(data.toString()) as ReceivedEvent[])
    })
    const code = await new Promise<number>((resolve) => socket.on('close', resolve))
    clearInterval(watch)
    if (code === UNKNOWN && !this.#isOver) this.refusals.push(`closed with ${code}`)
  }

  async #poll(): Promise<void> {
    const server = this.how.fleet.any(this.how.chance)
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(POLL_PATIENCE_MS)])
    try {
      const { status, body, text } = await send(server, `GET /listen?${this.#query}`, { signal })
      if (this.#isOver) return
      if (status === 200) this.#take(body as ReceivedEvent[])
      else if (status !== 503) this.refusals.push(`answered ${status}: ${text.slice(0, 200)}`)
    } catch {
      // unreachable, or lost before it answered: retries at another server
    }
  }

  #take(events: readonly ReceivedEvent[]): void {
    for (const event of events) this.events.push(event)
  }
}

export type Kind = 'socket' | 'poll'

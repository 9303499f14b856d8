import { WebSocket } from 'ws'
import { pause, send } from '../helpers/http.ts'
import type { ReceivedEvent } from '../helpers/websocket.ts'
import type { Fleet } from './fleet.ts'
import type { Chance } from './random.ts'

/** Heartbeats come every second; a server that is silent for so long is given up, as the client library does. */
const SILENCE_MS = 4_000
const POLL_PATIENCE_MS = 8_000
const RETRY_MS = 100
/** By which the server says that it does not know the connection. */
const UNKNOWN = 1000

/** One that listens as a browser does, and comes back to whichever server when it loses one. */
export class ChaosClient {
  readonly events: ReceivedEvent[] = []
  /** What must not happen to a connection that exists. */
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

  /** Nothing is heard any more. */
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
    socket.on('error', () => {}) // its end follows
    socket.on('message', (data: Buffer) => {
      heardAt = performance.now()
      // What is still on its way after the end is not looked at any more.
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
      // not reached, or gone before it answered: asked again elsewhere
    }
  }

  #take(events: readonly ReceivedEvent[]): void {
    for (const event of events) this.events.push(event)
  }
}

export type Kind = 'socket' | 'poll'

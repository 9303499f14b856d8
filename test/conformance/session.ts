import { Bindings } from './bindings.ts'
import { Client, type Answer, type Target } from './client.ts'
import { match } from './matcher.ts'
import { EventStreamClient, WebSocketClient } from './socket.ts'
import type { Json } from './scenario.ts'
import type { Socket } from './socket.ts'

/** What scenarios that open a WebSocket open. */
export type Transport = 'ws' | 'sse'

/** The state of one run of a scenario. */
export class Session {
  readonly bindings = new Bindings()
  readonly client: Client
  readonly sockets = new Map<string, Socket>()
  readonly polls = new Map<string, Promise<Answer | Error>>()
  readonly #everySocket: Socket[] = []

  constructor(
    target: Target,
    private readonly transport: Transport = 'ws',
  ) {
    this.client = new Client(target, this.bindings)
  }

  open(name: string, path: string, headers: Record<string, string>): Socket {
    const { host, port } = this.client.target
    const socket =
      this.transport === 'ws'
        ? new WebSocketClient(`ws://${host}:${port}${path}`, headers)
        : new EventStreamClient(`http://${host}:${port}${path.replace(/^\/ws/, '/sse')}`, headers)
    this.sockets.set(name, socket)
    this.#everySocket.push(socket)
    return socket
  }

  socket(name: string): Socket {
    const socket = this.sockets.get(name)
    if (!socket) throw new Error(`no socket ${name}`)
    return socket
  }

  /** Compares the result of a step with its expectation. */
  judge(expected: Json | undefined, seen: object): void {
    const exactBody = 'status' in seen && seen.status === 422
    match(expected ?? {}, seen, { where: '', bindings: this.bindings, exactBody })
  }

  close(): void {
    for (const socket of this.#everySocket) socket.kill()
    this.client.close()
  }
}

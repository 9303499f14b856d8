import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Stands between two programs on loopback, and can be cut. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  #isSilent = false

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer((from) => proxy.#join(from, targetPort))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new TcpProxy(server, (server.address() as AddressInfo).port)
    return proxy
  }

  /** Nothing goes through any more, and nobody is told: as when a network loses packets. */
  silence(): void {
    this.#isSilent = true
  }

  /** From now on new connections go through; the silent ones are ended. */
  heal(): void {
    this.#isSilent = false
    this.#endAll()
  }

  async stop(): Promise<void> {
    this.#endAll()
    this.server.close()
    await once(this.server, 'close')
  }

  #endAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(from: Socket, targetPort: number): void {
    const to = connect({ host: '127.0.0.1', port: targetPort })
    this.#pass(from, to)
    this.#pass(to, from)
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('data', (data) => {
      if (!this.#isSilent) to.write(data)
    })
    from.on('error', () => {}) // its end is told below
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}

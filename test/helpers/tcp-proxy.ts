import { createServer, connect } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Stands between two programs on loopback, and can be cut. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  #isSilent = false
  #lastWords: string | undefined

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

  /** Cuts everything when the answer to this comes, which is lost with it. */
  cutAfter(text: string): void {
    this.#lastWords = text
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
    let isOver = false
    this.#pass(from, to, (data) => {
      isOver ||= this.#lastWords !== undefined && data.includes(this.#lastWords)
      return true
    })
    this.#pass(to, from, () => {
      if (!isOver) return true
      this.#lastWords = undefined
      this.#endAll()
      return false
    })
  }

  #pass(from: Socket, to: Socket, mayPass: (data: Buffer) => boolean): void {
    this.#sockets.add(from)
    from.on('data', (data) => {
      if (!this.#isSilent && mayPass(data)) to.write(data)
    })
    from.on('error', () => {}) // its end is told below
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}

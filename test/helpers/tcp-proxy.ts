import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Stands between two programs on loopback, and can be cut. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  #isSilent = false
  #lastWords: string | undefined
  /** So long takes each byte on its way, there and back each. */
  delayMs = 0
  /** Parts of what was sent to the target that have gone through since `heal`. */
  passed = 0
  #heldFrom = Infinity
  #heldText: string | undefined
  #held: (() => void)[] = []
  #onHeld: () => void = () => {}

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

  /** Everything that is connected is ended, and what connects then is silent. */
  cut(): void {
    this.#isSilent = true
    this.#endAll()
  }

  /** From now on new connections go through; the silent ones are ended. */
  heal(): void {
    this.#isSilent = false
    this.#endAll()
    this.passed = 0
  }

  /** The next request with this text is held back, and whatever follows it on its connection, until it is released. */
  holdBack(text: string): void {
    this.#heldText = text
  }

  get isHolding(): boolean {
    return this.#held.length > 0
  }

  /** Cuts everything when the answer to this comes, which is lost with it. */
  cutAfter(text: string): void {
    this.#lastWords = text
  }

  /**
   * After `heal`, lets so many parts of what is sent to the target go through, and holds back what follows until `release`:
   * a command of a program that waits for each answer is one part. Resolves once something is held.
   */
  holdAfter(parts: number): Promise<void> {
    this.#heldFrom = parts
    return new Promise((resolve) => (this.#onHeld = resolve))
  }

  release(): void {
    this.#heldFrom = Infinity
    for (const pass of this.#held.splice(0)) pass()
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
    this.#pass(from, to, (data, write) => {
      isOver ||= this.#lastWords !== undefined && data.includes(this.#lastWords)
      if (this.#heldText !== undefined && data.includes(this.#heldText)) {
        this.#heldText = undefined
        from.pause()
        this.#held.push(write, () => from.resume())
        return
      }
      if (this.passed < this.#heldFrom) {
        this.passed++
        return write()
      }
      this.#held.push(write)
      this.#onHeld()
    })
    this.#pass(to, from, (_data, write) => {
      if (!isOver) return write()
      this.#lastWords = undefined
      this.#endAll()
    })
  }

  #pass(from: Socket, to: Socket, pass: (data: Buffer, write: () => void) => void): void {
    this.#sockets.add(from)
    const onTheWay: Buffer[] = []
    const arrive = (): void => {
      const data = onTheWay.shift()
      if (data && !to.destroyed) to.write(data)
    }
    from.on('data', (data) => {
      if (this.#isSilent) return
      pass(data, () => {
        onTheWay.push(data)
        // Whatever the delay is by now, nothing overtakes what was sent before.
        if (this.delayMs > 0) setTimeout(arrive, this.delayMs)
        else while (onTheWay.length > 0) arrive()
      })
    })
    from.on('error', () => {}) // its end is told below
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}

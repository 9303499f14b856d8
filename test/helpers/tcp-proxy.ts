import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A TCP proxy between two programs on loopback that simulates network failures. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>()
  #isSilent = false
  #lastWords: string | undefined
  /** The delay of data in each direction. */
  delayMs = 0
  /** The rate of data to the clients, shared by all connections like a slow line. */
  bytesPerSecond = Infinity
  #lineFreeAt = 0
  /** The chunks forwarded to the target since `heal`. */
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

  /** Drops all data silently, like a network that loses packets. */
  silence(): void {
    this.#isSilent = true
  }

  /** Ends all connections. New connections are silent. */
  cut(): void {
    this.#isSilent = true
    this.#endAll()
  }

  /** Forwards new connections again. Ends the silent ones. */
  heal(): void {
    this.#isSilent = false
    this.#endAll()
    this.passed = 0
  }

  /** Holds back the next request that contains this text, and all data after it on its connection, until `release`. */
  holdBack(text: string): void {
    this.#heldText = text
  }

  get isHolding(): boolean {
    return this.#held.length > 0
  }

  /** Cuts all connections when the answer to a request with this text arrives. The answer is lost. */
  cutAfter(text: string): void {
    this.#lastWords = text
  }

  /**
   * After `heal`, forwards this many chunks to the target, and holds back the following ones until `release`. For a
   * program that waits for each answer, a command is one chunk. Resolves once something is held back.
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
    let onTheLine = 0
    let isEnding = false
    /** Ends the connection of a client once it has what is on the line. Timers would not keep the order. */
    const endWhenDone = (): void => {
      if (isEnding && onTheLine === 0) from.destroySoon()
    }
    const answered = (data: Buffer, write: () => void): void => {
      if (!isOver) {
        onTheLine++
        return this.#overSlowLine(to, data.length, () => {
          write()
          onTheLine--
          endWhenDone()
        })
      }
      this.#lastWords = undefined
      this.#endAll()
    }
    this.#pass(to, from, answered, () => {
      if (this.bytesPerSecond === Infinity) return from.destroy()
      isEnding = true
      endWhenDone()
    })
  }

  /** Reads nothing more from the socket until the line has carried what was read. */
  #overSlowLine(from: Socket, bytes: number, write: () => void): void {
    if (this.bytesPerSecond === Infinity) return write()
    const now = performance.now()
    this.#lineFreeAt = Math.max(now, this.#lineFreeAt) + (bytes / this.bytesPerSecond) * 1000
    from.pause()
    setTimeout(() => {
      from.resume()
      write()
    }, this.#lineFreeAt - now)
  }

  #pass(
    from: Socket,
    to: Socket,
    pass: (data: Buffer, write: () => void) => void,
    end = (): unknown => to.destroy(),
  ): void {
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
        // Keeps the order of data, even if the delay has changed.
        if (this.delayMs > 0) setTimeout(arrive, this.delayMs)
        else while (onTheWay.length > 0) arrive()
      })
    })
    from.on('error', () => {}) // handled on close below
    from.on('close', () => {
      this.#sockets.delete(from)
      end()
    })
  }
}

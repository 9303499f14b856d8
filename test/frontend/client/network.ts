import net from 'node:net'
import { onTestFinished } from 'vitest'
import type { AddressInfo } from 'node:net'
import type { Address } from '../../helpers/http.ts'

/** A proxy between a page and a server that simulates network failures. */
export class Network implements Address {
  readonly host = '127.0.0.1'
  /** Requests whose first line matches are cut off. */
  blocked: RegExp | undefined
  /** While set, data is received but not forwarded. */
  isSilent = false
  /** Request lines, in order. */
  readonly requests: string[] = []
  /** Chunks received from the server, forwarded or not. */
  answers = 0
  readonly #links = new Set<readonly [net.Socket, net.Socket]>()
  readonly #dead = new Set<readonly [net.Socket, net.Socket]>()
  readonly #server = net.createServer((near) => this.#link(near))

  private constructor(public target: Address) {}

  /** Starts on a free port, until the test ends. */
  static async to(target: Address): Promise<Network> {
    const network = new Network(target)
    await new Promise<void>((resolve) => void network.#server.listen(0, network.host, resolve))
    onTestFinished(() => network.#stop())
    return network
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets all connections, without a close handshake. */
  cut(): void {
    for (const ends of this.#links) for (const end of ends) end.resetAndDestroy()
  }

  /** Works again for new connections. Those that are open stay silent for ever, as after a change of networks. */
  forget(): void {
    this.isSilent = false
    for (const ends of this.#links) this.#dead.add(ends)
  }

  #link(near: net.Socket): void {
    const far = net.connect(this.target.port, this.target.host)
    const link = [near, far] as const
    this.#links.add(link)
    const isSilent = (): boolean => this.isSilent || this.#dead.has(link)
    for (const end of link) {
      end.on('error', () => {}) // a close follows
      end.on('close', () => {
        this.#links.delete(link)
        for (const other of link) other.destroy()
      })
    }
    near.on('data', (data) => {
      const [line = ''] = data.toString('latin1').split('\r\n')
      if (/ HTTP\/1\.1$/.test(line)) this.requests.push(line)
      if (this.blocked?.test(line)) near.destroy()
      else if (!isSilent()) far.write(data)
    })
    far.on('data', (data) => {
      this.answers++
      if (!isSilent()) near.write(data)
    })
  }

  async #stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

import { lookup as askSystem } from 'node:dns/promises'
import { once } from 'node:events'
import { bindPassed } from '../net/passed-sockets.ts'
import { bindPath } from '../net/unix-socket.ts'
import type { RequestListener, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'

const EVERY_LOOPBACK = 'localhost'

type Lookup = (name: string) => Promise<readonly { readonly address: string }[]>

const systemLookup: Lookup = (name) => askSystem(name, { all: true })

export interface ListenAddress {
  /** `unix:` and a path for a Unix domain socket, which has the port 0. */
  readonly host: string
  readonly port: number
}

/** Listens on a Unix domain socket. See `bindPath`. */
export async function listenOnPath(
  http: FastifyInstance,
  path: string,
  mode: number,
): Promise<ListenAddress> {
  await bindPath(http.server, { path, mode }, () => http.listen({ path }))
  return { host: `unix:${path}`, port: 0 }
}

/** Listens on a socket that a supervisor has opened. See `bindPassed`. */
export const listenOnPassed = (http: FastifyInstance, fd: number): Promise<ListenAddress> =>
  // Fastify passes the options on to Node, which uses `fd` alone. With a host it does not look for those of `localhost`.
  bindPassed(http.server, () => http.listen({ fd, host: '127.0.0.1' } as object))

/**
 * Listens. The name `localhost` means all of its addresses; those that cannot be listened on are logged. Fastify does
 * the same by itself, but only for servers that it creates. Resolves with the name or address and the port.
 */
export async function listen(
  http: FastifyInstance,
  { host: wanted, port }: ListenAddress,
  openPort: (handler: RequestListener) => Server,
  lookup: Lookup = systemLookup,
): Promise<ListenAddress> {
  await http.listen({ host: wanted, port })
  const own = http.server.address()
  if (own === null || typeof own === 'string') return { host: wanted, port }
  const shown = { host: wanted, port: own.port }
  if (wanted !== EVERY_LOOPBACK) return shown
  const found = await lookup(EVERY_LOOPBACK)
  const others = new Set(found.map(({ address }) => address).filter((host) => host !== own.address))
  for (const host of others) {
    const server = openPort((request, response) => http.routing(request, response))
    server.on('upgrade', (...upgrade) => http.server.emit('upgrade', ...upgrade))
    http.server.once('close', () => server.close())
    try {
      await once(server.listen({ host, port: own.port }), 'listening')
    } catch (error) {
      http.log.warn({ err: error }, `localhost is also ${host}, which cannot be listened on`)
    }
  }
  return shown
}

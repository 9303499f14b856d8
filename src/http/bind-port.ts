import { lookup as askSystem } from 'node:dns/promises'
import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import type { FastifyInstance } from 'fastify'

const EVERY_LOOPBACK = 'localhost'

type Lookup = (name: string) => Promise<readonly { readonly address: string }[]>

const systemLookup: Lookup = (name) => askSystem(name, { all: true })

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/**
 * Listens. The name `localhost` means all of its addresses; those that cannot be listened on are logged. Fastify does
 * the same by itself, but only for servers that it creates.
 */
export async function listen(
  http: FastifyInstance,
  { host: wanted, port }: ListenAddress,
  openPort: (handler: RequestListener) => Server,
  lookup: Lookup = systemLookup,
): Promise<void> {
  await http.listen({ host: wanted, port })
  const own = http.server.address()
  if (wanted !== EVERY_LOOPBACK || own === null || typeof own === 'string') return
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
}

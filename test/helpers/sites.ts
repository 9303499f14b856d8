/** Where tests of requests run: on one server in memory, and on two that share a Redis. */
import { RedisServer } from './redis.ts'
import { startServer } from './server.ts'
import { Servers } from './servers.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { Address } from './http.ts'

export interface Site extends Address {
  close(): Promise<void>
  /** Another server each time, if there are several. */
  next(): Address
}

export const SITES: readonly [string, (settings?: ConfigInput) => Promise<Site>][] = [
  [
    'in memory',
    async (settings) => {
      const server = await startServer(settings)
      return Object.assign(server, { next: () => server })
    },
  ],
  [
    'on Redis',
    async (settings) => {
      const redis = await RedisServer.start()
      const servers = await Servers.start(redis, 2, settings)
      return {
        host: servers.host,
        get port() {
          return servers.port
        },
        next: () => servers.next(),
        close: async () => {
          await servers.close()
          await redis.stop()
        },
      }
    },
  ],
]

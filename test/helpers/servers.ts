import { send } from './http.ts'
import { freshPrefix } from './redis-store.ts'
import { startServer } from './server.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { RedisServer } from './redis.ts'
import type { TestServer } from './server.ts'

/** More than attaching takes. */
const ROUND_TRIPS = 5

/** Several servers on one Redis, as a new installation. */
export class Servers {
  #next = 0

  private constructor(readonly all: readonly TestServer[]) {}

  static async start(
    redis: Pick<RedisServer, 'url'>,
    count: number,
    settings: ConfigInput = {},
  ): Promise<Servers> {
    const shared = {
      redis_url: redis.url,
      redis_prefix: freshPrefix(),
      cookie_secret: 'the same for all servers',
      ...settings,
    }
    const all: TestServer[] = []
    for (let index = 0; index < count; index++) all.push(await startServer(shared))
    return new Servers(all)
  }

  /** Returns another server each time, like a load balancer without sticky sessions. */
  next(): TestServer {
    return this.all[this.#next++ % this.all.length] as TestServer
  }

  get host(): string {
    return '127.0.0.1'
  }

  /** The port of another server each time. */
  get port(): number {
    return this.next().port
  }

  /**
   * Resolves when what the servers have begun at Redis is done, for example the attaching of a socket: that takes a few
   * round trips, and each of these requests takes one as well, on the same connection.
   */
  async settled(): Promise<void> {
    for (const server of this.all)
      for (let round = 0; round < ROUND_TRIPS; round++) await send(server, 'GET /health/ready')
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((server) => server.close()))
  }
}

import { freshPrefix } from './redis-store.ts'
import { startServer } from './server.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { RedisServer } from './redis.ts'
import type { TestServer } from './server.ts'

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

  async close(): Promise<void> {
    await Promise.all(this.all.map((server) => server.close()))
  }
}

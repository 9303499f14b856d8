import { expect } from 'vitest'
import { pause, until } from '../helpers/http.ts'
import { asText } from './cases.ts'
import { match } from './matching.ts'
import type { RedisClient, RedisServer } from '../helpers/redis.ts'
import type { Step } from './cases.ts'
import type { Issuers } from './matching.ts'

const QUIET_MS = 150

interface Published {
  readonly channel: string
  readonly text: string
}

/** Executes the steps of cases that talk to Redis directly, not through the server. */
export class RedisSide {
  readonly #subscribers = new Map<string, Published[]>()
  readonly #clients: RedisClient[] = []

  private constructor(
    private readonly server: RedisServer,
    private readonly redis: RedisClient,
  ) {
    this.#clients.push(redis)
  }

  /** Connects, and empties Redis. */
  static async open(server: RedisServer): Promise<RedisSide> {
    const redis = await server.client()
    await redis.sendCommand(['FLUSHALL'])
    return new RedisSide(server, redis)
  }

  get url(): string {
    return this.server.url
  }

  async step(step: Step, issuers: Issuers): Promise<void> {
    const verb = this.#verbs[step.do]
    if (!verb) throw new Error(`there is no step ${step.do}`)
    await verb(step, issuers)
  }

  async finish(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await Promise.resolve()
  }

  readonly #verbs: Readonly<Record<string, (step: Step, issuers: Issuers) => Promise<void>>> = {
    key: async ({ token, value, raw, px, db }) => {
      const defaults = { read: [], write: [], allowed_uses: 0, uses: 0 }
      const text = asText(raw, JSON.stringify({ ...defaults, ...(value as object) }))
      const expiry = px === undefined ? [] : ['PX', asText(px)]
      const redis = db === undefined ? this.redis : await this.#client(Number(db))
      await redis.sendCommand([
        'SET',
        `philote:access_key:${String(token)}`,
        String(text),
        ...expiry,
      ])
    },
    redis: async (step, issuers) => {
      const ask = async (): Promise<unknown> => {
        try {
          return await this.redis.sendCommand((step['cmd'] as unknown[]).map(String))
        } catch (error) {
          return { error: (error as Error).message }
        }
      }
      if ('json' in step) match(step['json'], JSON.parse(String(await ask())), 'the reply', issuers)
      else if ('expect' in step) match(step['expect'], await ask(), 'the reply', issuers)
      else await ask()
    },
    subscribe: async (step) => {
      const heard: Published[] = []
      const redis = await this.#client()
      await redis.subscribe(step['channels'] as string[], (text, channel) =>
        heard.push({ channel, text }),
      )
      this.#subscribers.set(String(step['as']), heard)
    },
    published: async (step, issuers) => {
      const heard = this.#heard(step)
      await until(() => heard.length > 0, 'a message on Redis', 30_000)
      const { channel, text } = heard.shift() as Published
      if (step['channel'] !== undefined) match(step['channel'], channel, 'the channel', issuers)
      if ('text' in step) match(step['text'], text, 'the message', issuers)
      if ('json' in step) match(step['json'], JSON.parse(text), 'the message', issuers)
    },
    unpublished: async (step) => {
      await pause(Number(step['ms'] ?? QUIET_MS))
      expect(this.#heard(step)).toEqual([])
    },
    publish: async (step, issuers) => {
      const text = asText(step['text'], JSON.stringify(step['json']))
      const listeners = await this.redis.sendCommand(['PUBLISH', String(step['to']), text])
      if (step['listeners'] !== undefined)
        match(step['listeners'], listeners, 'the listeners', issuers)
    },
    numsub: async (step) => {
      const count = async (): Promise<number> => {
        const reply = await this.redis.sendCommand(['PUBSUB', 'NUMSUB', String(step['channel'])])
        return Number((reply as unknown as [string, number])[1])
      }
      const { is, atLeast, channel } = step
      await until(
        async () =>
          is === undefined ? (await count()) >= Number(atLeast) : (await count()) === is,
        `subscribers of ${String(channel)}`,
        step['within'] as number | undefined,
      )
    },
    redisLoad: async (step) => {
      const before = await this.#commands()
      await pause(1000)
      expect((await this.#commands()) - before - 1, 'commands a second').toBeLessThan(
        Number(step['below']),
      )
    },
  }

  async #client(database = 0): Promise<RedisClient> {
    const client = await this.server.client(database)
    this.#clients.push(client)
    return client
  }

  #heard(step: Step): Published[] {
    const heard = this.#subscribers.get(String(step['on']))
    if (!heard) throw new Error(`nobody subscribed as ${String(step['on'])}`)
    return heard
  }

  async #commands(): Promise<number> {
    const stats = await this.redis.sendCommand(['INFO', 'stats'])
    return Number(/total_commands_processed:(\d+)/.exec(asText(stats))?.[1])
  }
}

/** The reason why Redis is unavailable: shown in the log and by a failed start, but not to callers. */
import { afterAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import type { RedisClient } from '../helpers/redis.ts'

const PATIENCE_MS = 30_000

const clients: RedisClient[] = []
afterAll(async () => {
  for (const each of clients) each.destroy()
  await endAll()
})

/** A connection that stays open until the tests are over. */
async function client(redis: RedisServer): Promise<RedisClient> {
  const opened = await redis.client()
  clients.push(opened)
  return opened
}

interface Scene {
  readonly redis: RedisServer
  readonly admin: RedisClient
  readonly server: ServerProcess
  readonly backend: Backend
}

async function start(): Promise<Scene> {
  const redis = await RedisServer.start()
  const admin = await client(redis)
  const settings = { redis_url: redis.url, redis_prefix: freshPrefix(), redis_timeout: 5 }
  const server = await ServerProcess.start({ settings })
  const backend = new Backend(server)
  await backend.connect('ann', ['room'])
  return { redis, admin, server, backend }
}

const ask = (admin: RedisClient, ...args: string[]): Promise<unknown> => admin.sendCommand(args)

interface Line {
  readonly level: number
  readonly msg: string
  readonly err?: { readonly message: string }
}

const linesOf = (server: ServerProcess): Line[] =>
  server.stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)

/** Each makes Redis refuse writes, and undoes it. */
const CONDITIONS = [
  {
    code: 'OOM',
    advice: /Raise maxmemory/,
    begin: ({ admin }: Scene) => ask(admin, 'CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ admin }: Scene) => ask(admin, 'CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    code: 'MISCONF',
    advice: /Free space on its disk/,
    begin: async ({ redis, admin }: Scene) => {
      redis.loseDirectory()
      await ask(admin, 'CONFIG', 'SET', 'save', '1 1')
      await until(
        async () => String(await ask(admin, 'INFO')).includes('rdb_last_bgsave_status:err'),
        'a snapshot to fail',
        PATIENCE_MS,
      )
    },
    end: ({ admin }: Scene) => ask(admin, 'CONFIG', 'SET', 'save', ''),
  },
  {
    code: 'NOREPLICAS',
    advice: /min-replicas-to-write/,
    begin: ({ admin }: Scene) => ask(admin, 'CONFIG', 'SET', 'min-replicas-to-write', '1'),
    end: ({ admin }: Scene) => ask(admin, 'CONFIG', 'SET', 'min-replicas-to-write', '0'),
  },
  {
    code: 'BUSY',
    advice: /SCRIPT KILL/,
    begin: async ({ redis, admin }: Scene) => {
      await ask(admin, 'CONFIG', 'SET', 'busy-reply-threshold', '10')
      const busy = await client(redis)
      void busy.sendCommand(['EVAL', 'while true do end', '0']).catch(() => {}) // it is killed
    },
    end: ({ admin }: Scene) => ask(admin, 'SCRIPT', 'KILL'),
  },
]

describe.concurrent('a Redis that refuses to work', { timeout: 90_000 }, () => {
  it.each(CONDITIONS)(
    'is logged once with $code and what to do, and callers get a plain 503',
    async ({ code, advice, begin, end }) => {
      const scene = await start()
      const { server, backend } = scene
      await begin(scene)
      const post = () =>
        backend.send('POST /message', { json: [{ user: 'x', channel: 'room', message: {} }] })
      let answer = await post()
      await until(async () => (answer = await post()).status === 503, 'a 503', PATIENCE_MS)
      await server.says(/Redis is away/)
      for (let time = 0; time < 20; time++) expect((await post()).status).toBe(503)
      expect(answer.text).not.toMatch(/OOM|MISCONF|NOREPLICAS|BUSY|memory|Redis/i)
      await end(scene)
      await server.says(/Redis is back/)
      await until(async () => (await post()).status === 200, 'work to go on', PATIENCE_MS)
      const [away, ...others] = linesOf(server).filter(({ msg }) => msg.includes('away'))
      expect(others).toEqual([])
      expect(away?.level).toBe(50)
      expect(away?.msg).toMatch(advice)
      expect(away?.err?.message).toMatch(new RegExp(`^${code} `))
    },
  )

  it('is logged once more if that turns up while it is away for another reason', async () => {
    const { redis, server } = await start()
    await redis.halt()
    await server.says(/Redis is away/)
    await redis.restart()
    await server.says(/Redis is back/)
    await redis.halt()
    await server.says(/(Redis is away[^]*){2}/)
    redis.set('min-replicas-to-write', '1')
    await redis.restart()
    await server.says(/min-replicas-to-write/)
    const messages = linesOf(server).map(({ msg }) => msg.slice(0, 13))
    expect(messages.filter((msg) => msg === 'Redis is away')).toHaveLength(3)
  })

  it('stops a start with the reason and what to do', async () => {
    const redis = await RedisServer.start({ maxmemory: '1' })
    const settings = { redis_url: redis.url, redis_connect_timeout: 1 }
    const { exit, stderr } = await ServerProcess.run({ args: ['--port', '0'], settings })
    expect(exit.code).toBe(1)
    expect(stderr).toMatch(/^channelstream: Redis \(.*\): OOM .* \(.*Raise maxmemory.*\)\n$/)
  })
})

describe.concurrent('a Redis that says nothing any more', { timeout: 90_000 }, () => {
  it('is logged as such', async () => {
    const { redis, server } = await start()
    redis.pause()
    await server.says(/Redis is away/)
    redis.resume()
    await server.says(/Redis is back/)
    const [away] = linesOf(server).filter(({ msg }) => msg.includes('away'))
    expect(away?.err?.message).toContain('redis_timeout')
  })
})

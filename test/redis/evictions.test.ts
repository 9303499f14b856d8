/** A Redis that evicts keys, and one that does not allow to check that. */
import { afterAll, afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { Listener } from '../helpers/websocket.ts'
import type { Address } from '../helpers/http.ts'
import type { RedisSettings } from '../helpers/redis.ts'

const MIB = 1024 * 1024

afterAll(endAll)

async function metric(server: Address, name: string): Promise<number> {
  const { text } = await send(server, 'GET /metrics')
  return Number(new RegExp(`^channelstream_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

describe('a server whose Redis', { timeout: 180_000 }, () => {
  let process: ServerProcess | undefined
  afterEach(() => process?.kill())

  const start = async (settings: RedisSettings) => {
    const redis = await RedisServer.start(settings)
    process = await ServerProcess.start({ settings: { redis_url: redis.url } })
    return { redis, server: process }
  }

  it('may evict warns of it at the start, in the log and by a metric', async () => {
    const { redis, server } = await start({ 'maxmemory-policy': 'allkeys-lru' })
    expect(server.stderr).toMatch(/"level":40.*maxmemory-policy is allkeys-lru/)
    expect(await metric(server, 'store_evicts')).toBe(1)
    expect(await metric(server, 'store_evicted_keys_total')).toBe(0)
    const admin = await redis.client()
    onTestFinished(() => admin.destroy())
    await admin.configSet('maxmemory-policy', 'noeviction')
    await until(
      async () => (await metric(server, 'store_evicts')) === 0,
      'the change to be noticed',
      20_000,
    )
  })

  it('does not evict says nothing', async () => {
    const { server } = await start({})
    expect(server.stderr).not.toContain('maxmemory')
    expect(await metric(server, 'store_evicts')).toBe(0)
  })

  it.each(['info', 'scan'])('refuses %s serves all the same, and says nothing', async (command) => {
    const redis = await RedisServer.start({ 'maxmemory-policy': 'allkeys-lru' })
    const admin = await redis.client()
    onTestFinished(() => admin.destroy())
    // INFO is needed to connect; a proxy of a managed Redis may hide sections of it.
    const refused = command === 'info' ? [] : ['-scan']
    await admin.sendCommand(['ACL', 'SETUSER', 'default', ...refused])
    const server = await startServer({ redis_url: redis.url, redis_prefix: freshPrefix() })
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    if (command === 'info') await admin.sendCommand(['ACL', 'SETUSER', 'default', '-info'])
    const ann = await Listener.open(server, await backend.connect('ann', ['room']))
    const isRefused = async () =>
      JSON.stringify(await admin.sendCommand(['ACL', 'LOG'])).includes(`"${command}"`)
    await until(isRefused, 'the server to ask', 20_000)
    await backend.say('room', 'here')
    await ann.heard('here')
    expect((await send(server, 'GET /health')).status).toBe(200)
    expect(server.app.faults.count).toBe(0)
  })

  it('evicts never fails with 500, and nobody is left behind', async () => {
    const redis = await RedisServer.start({ 'maxmemory-policy': 'allkeys-random' })
    const admin = await redis.client()
    onTestFinished(() => admin.destroy())
    const server = await startServer({
      redis_url: redis.url,
      redis_prefix: freshPrefix(),
      gc_conns_after: 2,
      heartbeat_interval: 1,
    })
    onTestFinished(() => server.close())
    const backend = new Backend(server)
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1])
    await admin.configSet('maxmemory', String(used + 2 * MIB))
    const codes = new Map<number, number>()
    const ask = async (line: string, json: unknown): Promise<unknown> => {
      const { status, body } = await backend.send(line, { json })
      codes.set(status, (codes.get(status) ?? 0) + 1)
      return body
    }
    // Few and large, so that most of the time is not spent on the way.
    const large = 'x'.repeat(10_000)
    for (let index = 0; index < 300; index++) {
      const [user, channel] = [`user ${index % 100}`, `room ${index % 50}`]
      const connected = await ask('POST /connect', { username: user, channels: [channel] })
      const { conn_id = crypto.randomUUID() } = connected as { conn_id?: string }
      await ask('POST /subscribe', { conn_id, channels: ['hall'] })
      await ask('POST /message', [{ user, channel, message: { large } }])
      await ask('POST /message', [{ user, pm_users: [user], message: { large } }])
      await ask('POST /user_state', { user, user_state: { index } })
      if (index % 3 === 0) await ask('POST /disconnect', { conn_id })
    }
    const evicted = /^evicted_keys:(\d+)/m.exec(await admin.info('stats'))?.[1]
    expect(Number(evicted)).toBeGreaterThan(100)
    const unexpected = [...codes].filter(([status]) => ![200, 404, 422, 503].includes(status))
    expect(unexpected).toEqual([])
    expect(server.app.faults.count).toBe(0)
    await admin.configSet('maxmemory', '0')
    await until(async () => (await metric(server, 'connections')) === 0, 'all to go', 60_000)
    await until(
      async () =>
        Object.values((await backend.info()).channels).every((one) => one.total_connections === 0),
      'nobody to be in a channel',
      60_000,
    )
    expect(await metric(server, 'connected_users')).toBe(0)
  })
})

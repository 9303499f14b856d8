/** A Redis that is reachable, but refuses commands. */
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'

afterAll(endAll)

async function startBoth() {
  const redis = await RedisServer.start()
  const commands = await redis.client()
  onTestFinished(() => commands.destroy())
  const prefix = freshPrefix()
  const settings = { redis_url: redis.url, redis_prefix: prefix, redis_timeout: 1 }
  const server = await ServerProcess.start({ settings })
  const health = async () => (await send(server, 'GET /health')).status
  return { redis, commands, prefix, server, health }
}

describe('a Redis that takes away what its user may do', { timeout: 90_000 }, () => {
  it('is away until it gives it back, and the server stays', async () => {
    const { commands, server, health } = await startBoth()
    await new Backend(server).connect('ann', ['room'])
    await commands.sendCommand(['ACL', 'SETUSER', 'default', '-evalsha', '-eval'])
    await until(async () => (await health()) === 503, 'Redis to be away', 60_000)
    await until(() => server.output.includes('NOPERM'), 'the reason in the log', 60_000)
    expect((await send(server, 'GET /health/ready')).status).toBe(503)
    expect((await send(server, 'GET /health/live')).status).toBe(200)
    await commands.sendCommand(['ACL', 'SETUSER', 'default', '+@all'])
    await until(async () => (await health()) === 200, 'Redis to be back', 60_000)
    expect(server.exit).toBeUndefined()
    await new Backend(server).say('room', 'again')
  })
})

describe('a key of Redis that somebody has overwritten', { timeout: 90_000 }, () => {
  it('does not end the server, also if it is that of the leases', async () => {
    const { commands, prefix, server, health } = await startBoth()
    const key = `{${prefix}}:servers`
    await commands.set(key, 'no sorted set')
    await until(() => server.output.includes('WRONGTYPE'), 'the reason in the log', 60_000)
    await until(async () => (await health()) === 503, 'Redis to be away', 60_000)
    expect(server.exit).toBeUndefined()
    await commands.del(key)
    await until(async () => (await health()) === 200, 'Redis to be back', 60_000)
  })
})

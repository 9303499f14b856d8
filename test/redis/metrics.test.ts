import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'

afterAll(endAll)

describe('/metrics while Redis is away', { timeout: 90_000 }, () => {
  it('shows what this server knows, and says that the rest is missing', async () => {
    const redis = await RedisServer.start()
    const proxy = await TcpProxy.start(redis.port)
    const server = await startServer({
      redis_url: `redis://127.0.0.1:${proxy.port}`,
      redis_prefix: freshPrefix(),
      redis_timeout: 1,
    })
    onTestFinished(async () => {
      proxy.heal()
      await server.close()
      await proxy.stop()
    })
    const scrape = () => send(server, 'GET /metrics')
    const isUp = async () => (await scrape()).text.includes('\nchannelstream_store_up 1\n')
    await new Backend(server).connect('ann', ['room'])
    expect((await scrape()).text).toContain('\nchannelstream_users 1\n')

    proxy.silence()
    await until(async () => !(await isUp()), 'the store to be missed')
    await until(async () => (await send(server, 'GET /health')).status === 503, 'Redis to be away')
    const { status, text } = await scrape()
    expect(status).toBe(200)
    expect(text).toContain('\nchannelstream_store_up 0\n')
    expect(text).toContain('\nchannelstream_open_connections 0\n')
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m)
    expect(text).not.toMatch(/^channelstream_(users|connections|channels|messages_total) /m)

    proxy.heal()
    await until(isUp, 'the store to be back')
    expect((await scrape()).text).toContain('\nchannelstream_users 1\n')
  })
})

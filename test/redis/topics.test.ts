/** What reaches a server: Redis sends it a channel only while one of its sockets needs it. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Servers } from '../helpers/servers.ts'
import { Listener } from '../helpers/websocket.ts'
import type { RedisClient } from '../helpers/redis.ts'
import type { TestServer } from '../helpers/server.ts'

describe('a channel', () => {
  let redis: RedisServer
  let admin: RedisClient
  beforeAll(async () => {
    redis = await RedisServer.start()
    admin = await redis.client()
  })
  afterAll(endAll)

  it('is listened to by the servers that have a socket in it, once each', async () => {
    const redis_prefix = freshPrefix()
    const servers = await Servers.start(redis, 2, { redis_prefix, resume_window: 0 })
    onTestFinished(() => servers.close())
    const [one, other] = servers.all as [TestServer, TestServer]
    const backend = new Backend(servers)
    let users = 0
    const open = async (server: TestServer, ...channels: string[]) => {
      const listener = await Listener.open(
        server,
        await backend.connect(`user ${++users}`, channels),
      )
      await backend.say(channels[0] ?? '', `for ${users}`)
      await listener.heard(`for ${users}`)
      return listener
    }
    const listening = async (channel: string) => {
      const topic = `{${redis_prefix}}:t:${channel}`
      const counted = await admin.sendCommand(['PUBSUB', 'SHARDNUMSUB', topic])
      return Number((counted as unknown as [string, number])[1])
    }

    const first = [
      await open(one, 'room'),
      await open(one, 'room', 'hall'),
      await open(one, 'room'),
    ]
    expect([await listening('room'), await listening('hall')]).toEqual([1, 1])
    const elsewhere = await open(other, 'hall')
    expect([await listening('room'), await listening('hall')]).toEqual([1, 2])
    const unopened = await backend.connect('nobody', ['room'])
    await backend.call('POST /subscribe', { conn_id: unopened, channels: ['nobody here'] })
    expect(await listening('nobody here')).toBe(0)

    for (const listener of first) await listener.breakOff()
    await until(async () => (await listening('room')) === 0, 'the channel to be let go')
    await until(async () => (await listening('hall')) === 1, 'the channel to be let go by one')
    await backend.say('hall', 'the end')
    await elsewhere.heard('the end')
  })
})

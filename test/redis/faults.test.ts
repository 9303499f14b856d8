/** Several failures at once, under load. */
import { afterAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, pause, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'

const PATIENCE_MS = 20_000

afterAll(endAll)

async function startOn(count: number): Promise<{ redis: RedisServer; servers: ServerProcess[] }> {
  const redis = await RedisServer.start()
  const settings = {
    redis_url: redis.url,
    redis_prefix: freshPrefix(),
    redis_timeout: 2,
    channel_frames: 10_000,
    gc_conns_after: 4,
    heartbeat_interval: 1,
  }
  const starting = Array.from({ length: count }, () => ServerProcess.start({ settings }))
  return { redis, servers: await Promise.all(starting) }
}

/** Posts numbers one after the other until it is stopped, even if some fail. */
function postNumbers(server: ServerProcess) {
  const acknowledged: string[] = []
  let isDone = false
  const work = (async () => {
    for (let number = 0; !isDone; number++) {
      const json = [{ user: 'poster', channel: 'room', message: { text: String(number) } }]
      const { status } = await new Backend(server).send('POST /message', { json })
      expect([200, 503]).toContain(status)
      if (status === 200) acknowledged.push(String(number))
      else await pause(50)
    }
  })()
  // If a test fails before `stop`, servers end meanwhile. Its own failure must be shown, not this rejection.
  work.catch(() => {})
  const stop = async (): Promise<void> => {
    isDone = true
    await work
  }
  return { acknowledged, stop }
}

describe('Redis that is shut down without its data, under load', () => {
  it('costs clients their connections, and servers nothing', { timeout: 90_000 }, async () => {
    const { redis, servers } = await startOn(2)
    const [one, other] = servers as [ServerProcess, ServerProcess]
    const clients = await Promise.all(
      servers.map(async (server, at) =>
        Listener.open(server, await new Backend(one).connect(`user ${at}`, ['room'])),
      ),
    )
    const { acknowledged, stop } = postNumbers(one)
    await until(() => acknowledged.length > 50, 'some messages')
    const admin = await redis.client()
    await admin.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {}) // it ends without a reply
    admin.destroy()
    await redis.restart()
    for (const client of clients) {
      expect((await client.closed).code).toBe(1000)
      // Nobody received anything twice or out of order, up to the end.
      const numbers = client.texts.map(Number)
      expect(numbers).toEqual([...new Set(numbers)].toSorted((first, second) => first - second))
    }
    const connId = await new Backend(other).connectOnceBack('again', ['room'])
    const again = await Listener.open(other, connId)
    const before = acknowledged.length
    await until(() => acknowledged.length > before + 20, 'messages afterwards', PATIENCE_MS)
    await stop()
    await again.heard(acknowledged.at(-1) ?? '', PATIENCE_MS)
    for (const server of servers) expect(server.exit).toBeUndefined()
  })
})

describe('two of three servers that are killed at once', () => {
  it('leave nothing lost, doubled or behind', { timeout: 90_000 }, async () => {
    const { servers } = await startOn(3)
    const [left, ...doomed] = servers as [ServerProcess, ServerProcess, ServerProcess]
    const backend = new Backend(left)
    const channel_configs = { room: { notify_presence: true } }
    const connect = (user: string) => backend.connect(user, ['room'], { channel_configs })
    const watcher = await Listener.open(left, await connect('watcher'))
    const users = Array.from({ length: 20 }, (_, number) => `user ${number}`)
    const clients = await Promise.all(
      users.map(async (user, at) => {
        const connId = await connect(user)
        return { user, connId, socket: await Listener.open(doomed[at % 2] as never, connId) }
      }),
    )
    const { acknowledged, stop } = postNumbers(left)
    await until(() => acknowledged.length > 50, 'some messages')
    for (const server of doomed) server.signal('SIGKILL')
    await Promise.all(clients.map(({ socket }) => socket.closed))
    const [staying, returning] = [clients.slice(0, 6), clients.slice(6)]
    const back = await Promise.all(
      returning.map(async ({ connId, socket }) => {
        const cursor = socket.events.at(-1)?.id
        return {
          first: socket,
          second: await Listener.open(left, connId, cursor ? { cursor } : {}),
        }
      }),
    )
    await stop()
    await backend.say('room', 'last')
    for (const { first, second } of back) {
      await second.heard('last', PATIENCE_MS)
      expect([...first.texts, ...second.texts]).toEqual([...acknowledged, 'last'])
      expect(second.of('gap')).toEqual([])
    }
    const told = (user: string) => watcher.presenceOf(user)
    await until(
      () => staying.every(({ user }) => told(user).includes('parted')),
      'those who stay away to part',
      PATIENCE_MS,
    )
    for (const { user } of staying) expect(told(user)).toEqual(['joined', 'parted'])
    for (const { user } of returning) expect(told(user)).toEqual(['joined'])
    const { channels } = await backend.info()
    const present = ['watcher', ...returning.map(({ user }) => user)]
    expect(channels['room']?.users.toSorted()).toEqual(present.toSorted())
  })
})

/** A server that is killed, with all the sockets on it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'

const SOCKETS = 500
const STAYING = 50
const WAVE = 25
const PATIENCE_MS = 40_000

describe('a server that is killed', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  it('leaves nothing lost, doubled or behind', { timeout: 90_000 }, async () => {
    const prefix = freshPrefix()
    const settings = {
      redis_url: redis.url,
      redis_prefix: prefix,
      gc_conns_after: 6,
      heartbeat_interval: 2,
      channel_frames: 600,
    }
    const doomed = await ServerProcess.start({ settings })
    const other = await ServerProcess.start({ settings })
    const backend = new Backend(other)
    const channel_configs = { room: { notify_presence: true } }
    const watcher = await Listener.open(
      other,
      await backend.connect('watcher', ['room'], { channel_configs }),
    )
    const connIds: string[] = []
    const clients: Listener[] = []
    while (clients.length < SOCKETS) {
      const users = Array.from({ length: WAVE }, (_, at) => `user ${clients.length + at}`)
      const wave = await Promise.all(
        users.map((user) => backend.connect(user, ['room'], { info: { include_users: false } })),
      )
      clients.push(...(await Promise.all(wave.map((connId) => Listener.open(doomed, connId)))))
      connIds.push(...wave)
    }
    for (let number = 0; number < 20; number++) await backend.say('room', `before ${number}`)
    await Promise.all(clients.map((client) => client.heard('before 19', PATIENCE_MS)))

    doomed.signal('SIGKILL')
    await Promise.all(clients.map((client) => client.closed))
    for (let number = 0; number < 20; number++) await backend.say('room', `meanwhile ${number}`)

    const returning = clients.slice(STAYING)
    const back = await Promise.all(
      returning.map((client, at) =>
        Listener.open(other, connIds[at + STAYING] ?? '', {
          cursor: client.events.at(-1)?.id ?? '',
        }),
      ),
    )
    await backend.say('room', 'after')
    await Promise.all(back.map((client) => client.heard('after', PATIENCE_MS)))
    const meanwhile = Array.from({ length: 20 }, (_, number) => `meanwhile ${number}`)
    for (const client of back) {
      expect(client.texts).toEqual([...meanwhile, 'after'])
      expect(client.of('gap')).toEqual([])
    }

    const parted = () =>
      watcher.of('presence').filter(({ message }) => message?.action === 'parted')
    await until(() => parted().length >= STAYING, 'those who stay away to part', PATIENCE_MS)
    await backend.say('room', 'the end')
    await watcher.heard('the end')
    const expected = clients.slice(0, STAYING).map((_, at) => `user ${at}`)
    expect(
      parted()
        .map(({ user }) => user)
        .toSorted(),
    ).toEqual(expected.toSorted())

    const client = await redis.client()
    const names = await client.keys(`{${prefix}}:at:*`)
    const servers = await client.zCard(`{${prefix}}:servers`)
    const graves = await client.exists(`{${prefix}}:graves`)
    client.destroy()
    expect({ names: names.length, servers, graves }).toEqual({ names: 1, servers: 1, graves: 0 })
    const info = await backend.info()
    expect(info.channels['room']?.total_connections).toBe(SOCKETS - STAYING + 1)
  })
})

/** Changes elsewhere, and failed writes, while a server has lost Redis. Also: two databases of one Redis. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener, closeClients } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'
import type { RedisClient } from '../helpers/redis.ts'
import type { TestServer } from '../helpers/server.ts'

const TIMEOUT_MS = 40_000

let redis: RedisServer
let admin: RedisClient
const cleanup: (() => Promise<void>)[] = []

beforeAll(async () => {
  redis = await RedisServer.start()
  admin = await redis.client()
})
afterEach(async () => {
  closeClients()
  for (const clean of cleanup.splice(0).reverse()) await clean()
})
afterAll(async () => {
  admin.destroy()
  await redis.stop()
})

async function start(url: string, prefix: string, more: ConfigInput = {}): Promise<TestServer> {
  const server = await startServer({
    ...{ redis_url: url, redis_prefix: prefix, redis_timeout: 0.5, cookie_secret: 'the same' },
    ...more,
  })
  cleanup.push(() => server.close())
  return server
}

/** One server that can be cut off from Redis, and one that stays connected. */
async function startTwo() {
  const proxy = await TcpProxy.start(redis.port)
  cleanup.push(() => proxy.stop())
  const prefix = freshPrefix()
  const far = await start(`redis://127.0.0.1:${proxy.port}`, prefix)
  const near = await start(redis.url, prefix)
  return { proxy, prefix, far, near, backend: new Backend(near) }
}

/** A client that has received a message leaves a server while that is cut off. Returns its conn_id. */
async function leaveMeanwhile({ proxy, far, backend }: Two): Promise<string> {
  const connId = await backend.connect('ann', ['room'])
  const client = await Listener.open(far, connId)
  await backend.say('room', 'before')
  await client.heard('before')
  proxy.silence()
  await answers(new Backend(far), 503, 'the server to notice')
  await client.breakOff()
  return connId
}
type Two = Awaited<ReturnType<typeof startTwo>>

/** Expects that the client gets exactly the missed messages when the server is back, although it sends no cursor. */
async function expectItsPlace({ proxy, far, near, backend }: Two, connId: string): Promise<void> {
  await backend.say('room', 'meanwhile')
  proxy.heal()
  await answers(new Backend(far), 200, 'the server to find back')
  const again = await Listener.open(near, connId)
  await again.heard('meanwhile')
  expect(again.texts).toEqual(['meanwhile'])
}

const answers = (backend: Backend, status: number, what: string) =>
  until(async () => (await backend.send('GET /health')).status === status, what)

describe('a server that is cut off from Redis', { timeout: TIMEOUT_MS }, () => {
  it('does afterwards what others did to its connections', async () => {
    const { proxy, far, near, backend } = await startTwo()
    const ann = await backend.connect('ann', ['first', 'second'])
    const bob = await backend.connect('bob', ['first'])
    const cem = await backend.connect('cem', ['first'])
    const open = (connId: string) => Listener.open(far, connId)
    const [annHears, bobHears, cemHears] = await Promise.all([open(ann), open(bob), open(cem)])
    await backend.say('first', 'before')
    await Promise.all([annHears, bobHears, cemHears].map((client) => client.heard('before')))

    proxy.silence()
    await answers(new Backend(far), 503, 'the server to notice')
    await backend.call('POST /unsubscribe', { conn_id: ann, channels: ['second'] })
    await backend.call('POST /subscribe', { conn_id: ann, channels: ['third'] })
    await backend.call('POST /disconnect', { conn_id: bob })
    const cemElsewhere = await Listener.open(near, cem)
    await backend.say('second', 'not for ann any more')
    await backend.say('third', 'for ann by now')
    proxy.heal()

    await annHears.heard('for ann by now')
    expect((await bobHears.closed).code).toBe(1000)
    expect((await cemHears.closed).code).toBe(4509)
    await backend.say('third', 'and later')
    await backend.say('second', 'still not for ann')
    await backend.say('first', 'the end')
    await Promise.all([annHears.heard('the end'), cemElsewhere.heard('the end')])
    expect(annHears.texts).toEqual(['before', 'for ann by now', 'and later', 'the end'])
    expect(cemElsewhere.ending).toBeUndefined()
  })

  it('still knows where a client was that left it, though the others took it for dead', async () => {
    const two = await startTwo()
    const connId = await leaveMeanwhile(two)
    const holder = () => admin.hGet(`{${two.prefix}}:n:${connId}`, 's')
    await until(async () => (await holder()) === null, 'the others to let go', TIMEOUT_MS)
    await expectItsPlace(two, connId)
  })

  it('still knows where a client was that left it, and could not come back at once', async () => {
    const two = await startTwo()
    const connId = await leaveMeanwhile(two)
    const inVain = await Listener.open(two.far, connId)
    expect((await inVain.closed).code).toBe(CLOSE.unavailable.code)
    await expectItsPlace(two, connId)
  })

  it('tells everybody once what was said to several in private', async () => {
    const { proxy, far, backend } = await startTwo()
    const names = ['ann', 'bob', 'cem']
    const open = async (name: string) => Listener.open(far, await backend.connect(name))
    const all = await Promise.all(names.map(open))
    const [ann, bob, cem] = all as [Listener, Listener, Listener]
    const whisper = (text: string, pm_users: readonly string[], more: object = {}) =>
      backend.call('POST /message', [{ user: 'x', pm_users, message: { text }, ...more }])
    await whisper('before', names)
    await Promise.all(all.map((client) => client.heard('before')))

    proxy.silence()
    await answers(new Backend(far), 503, 'the server to notice')
    await whisper('to two', ['ann', 'bob', 'nobody'])
    await whisper('to all but bob', names, { exclude_users: ['bob'] })
    await whisper('to cem', ['cem'])
    proxy.heal()
    await Promise.all([ann.heard('to all but bob'), bob.heard('to two'), cem.heard('to cem')])

    await whisper('the end', names)
    await Promise.all(all.map((client) => client.heard('the end')))
    expect(ann.texts).toEqual(['before', 'to two', 'to all but bob', 'the end'])
    expect(bob.texts).toEqual(['before', 'to two', 'the end'])
    expect(cem.texts).toEqual(['before', 'to all but bob', 'to cem', 'the end'])
  })

  it('tells what it missed in its place, however many channels it listens to', async () => {
    const { proxy, far, backend } = await startTwo()
    const channels = Array.from({ length: 350 }, (_, index) => `many ${index}`)
    const hears = await Listener.open(far, await backend.connect('ann', channels))
    let [posted, isOver] = [0, false]
    const posting = (async () => {
      while (!isOver) {
        const channel = channels[(posted * 101) % channels.length] ?? ''
        await backend.say(channel, String(posted++))
      }
    })()
    for (let cut = 0; cut < 4; cut++) {
      const soFar = posted
      await until(() => posted > soFar + 100, 'messages')
      proxy.heal() // cuts open connections, and allows new ones
      await answers(new Backend(far), 200, 'the server to find back')
    }
    isOver = true
    await posting
    await hears.heard(String(posted - 1))
    expect(hears.texts).toEqual(Array.from({ length: posted }, (_, index) => String(index)))
  })
})

describe('a Redis that has no room for a while', { timeout: TIMEOUT_MS }, () => {
  it('is away for so long, and then everything goes on', async () => {
    const prefix = freshPrefix()
    const server = await start(redis.url, prefix, {
      ...{ gc_conns_after: 5, heartbeat_interval: 0.2, resume_window: 1 },
    })
    const backend = new Backend(server)
    const ann = await Listener.open(server, await backend.connect('ann', ['room']))
    const bobsId = await backend.connect('bob', ['room'])
    const bob = await Listener.open(server, bobsId)
    await admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '1'])
    try {
      await until(
        async () =>
          (await backend.send('POST /connect', { json: { username: 'x' } })).status === 503,
        'Redis to refuse',
      )
      await bob.breakOff()
    } finally {
      await admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '0'])
    }
    await answers(backend, 200, 'Redis to be back')
    const key = `{${prefix}}:servers`
    const leases = async () => admin.sendCommand(['ZRANGE', key, '0', '-1', 'WITHSCORES'])
    const before = JSON.stringify(await leases())
    await until(async () => JSON.stringify(await leases()) !== before, 'the lease to be renewed')
    await until(
      async () => (await backend.info()).channels['room']?.total_connections === 1,
      'bob, who broke off meanwhile, to be gone',
      20_000,
    )
    await backend.say('room', 'later')
    await ann.heard('later')
  })
})

describe('thousands of edits in one request', { timeout: TIMEOUT_MS }, () => {
  it('hold Redis up no longer than as many messages', async () => {
    const server = await start(redis.url, freshPrefix(), {
      ...{ max_history_size: 1000, redis_timeout: 60 },
    })
    const backend = new Backend(server)
    const uuidOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
    await backend.connect('ann', ['long'], {
      channel_configs: { long: { store_history: true, history_size: 1000 } },
    })
    const all = Array.from({ length: 1000 }, (_, index) => ({
      ...{ user: 'ann', channel: 'long', uuid: uuidOf(index), message: { text: `old ${index}` } },
    }))
    await backend.call('POST /message', all)
    await admin.sendCommand(['CONFIG', 'RESETSTAT'])
    await backend.call(
      'PATCH /message',
      all.map(({ channel, uuid }, index) => ({ channel, uuid, message: { text: `new ${index}` } })),
    )
    const half = all.filter((_, index) => index % 2 === 0)
    await backend.call(
      'DELETE /message',
      half.map(({ channel, uuid }) => ({ channel, uuid })),
    )
    const stats = (await admin.sendCommand(['INFO', 'commandstats'])) as unknown as string
    const reads = Number(/cmdstat_lrange:calls=(\d+)/.exec(stats)?.[1])
    expect(reads).toBeLessThan(20) // a read for each of them would be thousands
    const { history } = (await backend.info()).channels['long'] ?? { history: [] }
    expect(history.map(({ message }) => (message as { text: string }).text)).toEqual(
      all.flatMap((_, index) => (index % 2 === 0 ? [] : [`new ${index}`])),
    )
  })
})

describe('thousands of edits of one message', { timeout: TIMEOUT_MS }, () => {
  it('hold Redis up no longer than edits of as many messages', async () => {
    const backend = new Backend(await start(redis.url, freshPrefix(), { redis_timeout: 60 }))
    const uuidOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
    await backend.connect('ann', ['room'])
    const editsOf = (uuid: (index: number) => string) =>
      Array.from({ length: 5_000 }, (_, index) => ({ channel: 'room', uuid: uuid(index) }))
    // CPU time: other programs of the machine take no part of it.
    const cpuSeconds = async (): Promise<number> => {
      const info = (await admin.sendCommand(['INFO', 'cpu'])) as unknown as string
      return Number(/used_cpu_user_main_thread:([\d.]+)/.exec(info)?.[1])
    }
    const busyWith = async (edits: unknown): Promise<number> => {
      const before = await cpuSeconds()
      await backend.call('PATCH /message', edits)
      return (await cpuSeconds()) - before
    }
    const [others, same]: [number[], number[]] = [[], []]
    for (let round = 0; round < 3; round++) {
      others.push(await busyWith(editsOf(uuidOf)))
      same.push(await busyWith(editsOf(() => uuidOf(1))))
    }
    expect(Math.min(...same)).toBeLessThan(8 * Math.min(...others))
  })
})

describe('two databases of one Redis', { timeout: TIMEOUT_MS }, () => {
  it('are two installations, with the same prefix too', async () => {
    const prefix = freshPrefix()
    const one = await start(`${redis.url}/1`, prefix)
    const two = await start(`${redis.url}/2`, prefix)
    const [ann, bob] = await Promise.all(
      [one, two].map(async (server) =>
        Listener.open(server, await new Backend(server).connect('ann', ['room'])),
      ),
    )
    await new Backend(two).say('room', 'in two')
    await bob?.heard('in two')
    await new Backend(one).say('room', 'in one')
    await ann?.heard('in one')
    expect(ann?.texts).toEqual(['in one'])
    expect(bob?.texts).toEqual(['in two'])
  })
})

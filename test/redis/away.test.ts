/** An outage of Redis, while servers hold sockets and receive messages. */
import { afterAll, describe, expect, it } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, pause, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { ON_DISK, RedisServer } from '../helpers/redis.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'

const CLIENTS = 20
const PATIENCE_MS = 30_000

afterAll(endAll)

/** Posts messages one after the other as fast as possible, and records which were acknowledged. */
class Poster {
  readonly acknowledged: string[] = []
  /** Messages without acknowledgement, which may or may not have been posted. */
  readonly open = new Set<string>()
  readonly refusals: { readonly status: number; readonly retryAfter: string | undefined }[] = []
  #isDone = false
  readonly #work: Promise<void>

  constructor(
    private readonly backend: Backend,
    name: string,
  ) {
    this.#work = this.#post(name)
    // If a test fails before `stop`, its own failure must be shown, not this rejection.
    this.#work.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#isDone = true
    await this.#work
  }

  async #post(name: string): Promise<void> {
    for (let number = 0; !this.#isDone; number++) {
      const text = `${name} ${number}`
      const json = [{ user: 'backend', channel: 'room', message: { text } }]
      const { status, headers } = await this.backend.send('POST /message', { json })
      if (status === 200) this.acknowledged.push(text)
      else {
        this.open.add(text)
        this.refusals.push({ status, retryAfter: headers['retry-after'] })
      }
      await pause(status === 200 ? 2 : 100)
    }
  }
}

interface Scene {
  readonly redis: RedisServer
  readonly servers: readonly ServerProcess[]
  readonly backends: readonly Backend[]
  readonly clients: readonly Listener[]
}

async function set(redis: RedisServer, urls: readonly string[]): Promise<Scene> {
  const shared = { redis_prefix: freshPrefix(), redis_timeout: 2, channel_frames: 10_000 }
  const servers = await Promise.all(
    urls.map((redis_url) => ServerProcess.start({ settings: { ...shared, redis_url } })),
  )
  const backends = servers.map((server) => new Backend(server))
  const clients: Listener[] = []
  for (let at = 0; at < CLIENTS; at++) {
    const place = at % servers.length
    const connId = await backends[0]?.connect(`user ${at}`, ['room'])
    clients.push(await Listener.open(servers[place] as ServerProcess, connId ?? ''))
  }
  return { redis, servers, backends, clients }
}

/** Expects that all clients get the acknowledged messages, once and in one order, and nothing that nobody posted. */
async function expectAll({ clients, backends }: Scene, posters: readonly Poster[]): Promise<void> {
  await until(
    async () => (await backends[0]?.send('POST /message', { json: LAST }))?.status === 200,
    'the last message',
  )
  await Promise.all(clients.map((client) => client.heard('last', PATIENCE_MS)))
  const [first] = clients
  const told = first?.texts.filter((text) => text !== 'last') ?? []
  expect(new Set(told).size).toBe(told.length)
  for (const { acknowledged, open } of posters) {
    const heard = told.filter((text) => acknowledged.includes(text ?? ''))
    expect(heard).toEqual(acknowledged)
    for (const text of told)
      expect(isPosted(text, posters), `${text}, ${open.size} open`).toBe(true)
  }
  for (const client of clients) {
    expect(client.of('gap')).toEqual([])
    expect(client.texts.filter((text) => text !== 'last')).toEqual(told)
    expect(client.ending).toBeUndefined()
  }
}

const isPosted = (text: string | undefined, posters: readonly Poster[]): boolean =>
  posters.some(
    ({ acknowledged, open }) => open.has(text ?? '') || acknowledged.includes(text ?? ''),
  )

const LAST = [{ user: 'backend', channel: 'room', message: { text: 'last' } }]

// Concurrent, because the longest test mostly waits.
describe.concurrent('Redis that is away for a while', () => {
  it('and started anew with its data, has lost nothing', { timeout: 90_000 }, async () => {
    const redis = await RedisServer.start(ON_DISK)
    const scene = await set(redis, [redis.url, redis.url])
    const posters = scene.backends.map((backend, at) => new Poster(backend, `poster ${at}`))
    await until(
      () => posters.every(({ acknowledged }) => acknowledged.length > 50),
      'some messages',
    )
    await redis.halt()
    await until(() => posters.every(({ refusals }) => refusals.length > 3), 'refusals')
    await redis.restart()
    const before = posters.map(({ acknowledged }) => acknowledged.length)
    await until(
      () => posters.every(({ acknowledged }, at) => acknowledged.length > (before[at] ?? 0) + 50),
      'messages after the restart',
      PATIENCE_MS,
    )
    await Promise.all(posters.map((poster) => poster.stop()))
    await expectAll(scene, posters)
    for (const { refusals } of posters)
      for (const refusal of refusals) expect(refusal).toEqual({ status: 503, retryAfter: '1' })
    const [server] = scene.servers
    expect(server?.output.match(/Redis is away/g)).toHaveLength(1)
    expect(server?.output.match(/Redis is back/g)).toHaveLength(1)
  })

  it('and silent for ten seconds, has lost nothing', { timeout: 90_000 }, async () => {
    const redis = await RedisServer.start(ON_DISK)
    const scene = await set(redis, [redis.url, redis.url])
    const posters = scene.backends.map((backend, at) => new Poster(backend, `poster ${at}`))
    await until(
      () => posters.every(({ acknowledged }) => acknowledged.length > 50),
      'some messages',
    )
    redis.pause()
    await pause(10_000)
    redis.resume()
    const before = posters.map(({ acknowledged }) => acknowledged.length)
    await until(
      () => posters.every(({ acknowledged }, at) => acknowledged.length > (before[at] ?? 0) + 50),
      'messages after the silence',
      PATIENCE_MS,
    )
    await Promise.all(posters.map((poster) => poster.stop()))
    await expectAll(scene, posters)
  })

  it('for one server alone, has lost nothing for its clients', { timeout: 90_000 }, async () => {
    const redis = await RedisServer.start(ON_DISK)
    const proxy = await TcpProxy.start(redis.port)
    const scene = await set(redis, [redis.url, `redis://127.0.0.1:${proxy.port}`])
    const [near] = scene.backends
    const poster = new Poster(near as Backend, 'poster')
    await until(() => poster.acknowledged.length > 50, 'some messages')
    proxy.silence()
    await until(
      () => scene.servers[1]?.output.includes('Redis is away') === true,
      'the server to notice',
    )
    await until(() => poster.acknowledged.length > 300, 'messages meanwhile', PATIENCE_MS)
    proxy.heal()
    await until(
      () => scene.servers[1]?.output.includes('Redis is back') === true,
      'the server to find back',
    )
    await poster.stop()
    await expectAll(scene, [poster])
    await proxy.stop()
  })

  it(
    'and came back without its memory: clients are told, and may begin anew',
    { timeout: 90_000 },
    async () => {
      const forgetful = await RedisServer.start()
      const scene = await set(forgetful, [forgetful.url])
      await scene.backends[0]?.say('room', 'attached')
      await Promise.all(scene.clients.map((client) => client.heard('attached')))
      await forgetful.restart()
      const endings = await Promise.all(scene.clients.map((client) => client.closed))
      for (const ending of endings) expect(ending.code).toBe(1000)
      const [backend] = scene.backends
      const [server] = scene.servers
      const connId = await backend?.connectOnceBack('again', ['room'])
      const again = await Listener.open(server as ServerProcess, connId ?? '')
      await backend?.say('room', 'hello')
      await again.heard('hello')
    },
  )
})

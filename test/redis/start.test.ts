/** The error of a server that cannot start because of its Redis, and its log when Redis becomes unavailable. */
import { createServer } from 'node:net'
import { createClient } from '@redis/client'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { discard } from '../../src/lib/redis-client.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, send, until, within } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { ON_DISK, RedisServer } from '../helpers/redis.ts'
import { Listener } from '../helpers/websocket.ts'
import type { AddressInfo, Server } from 'node:net'

const CONNECT_SECONDS = 1
/** The process itself needs some time, too, on a busy machine. */
const LATE_MS = 8_000

// The tests mostly wait. More at a time would start too many processes, and be late.
vi.setConfig({ maxConcurrency: 2 })

const listening: Server[] = []
afterAll(async () => {
  for (const server of listening) server.close()
  await endAll()
})

/** Listens on a loopback port until the tests are over. Resolves with the port. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  listening.push(server)
  return (server.address() as AddressInfo).port
}

/** Starts a server that must fail. Resolves with its error and how long it took. */
async function refusal(redis_url: string, connectSeconds = CONNECT_SECONDS) {
  const begun = performance.now()
  const settings = { redis_url, redis_connect_timeout: connectSeconds }
  const { exit, stdout, stderr } = await ServerProcess.run({ args: ['--port', '0'], settings })
  expect(exit).toEqual({ code: 1, signal: null })
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^channelstream: Redis \(.*\): .*\n$/)
  return { text: stderr, tookMs: performance.now() - begun }
}

/** Speaks just enough of Redis's protocol for a client to connect. Does not reply to commands in `silentTo`. */
async function startFakeRedis(version: string, silentTo: readonly string[] = []): Promise<string> {
  const facts = `redis_version:${version}\r\nrun_id:0123\r\nrole:master\r\n`
  const fake = createServer((socket) => {
    socket.on('error', () => {}) // the server has ended
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g))
        if (silentTo.includes(name)) continue
        else if (name === 'HELLO') socket.write('%1\r\n+server\r\n+redis\r\n')
        else if (name === 'INFO') socket.write(`$${facts.length}\r\n${facts}\r\n`)
        else socket.write('+OK\r\n')
    })
  })
  return `redis://127.0.0.1:${await listen(fake)}`
}

describe.concurrent('a server that cannot use its Redis', { timeout: 90_000 }, () => {
  it.each([
    { name: 'nobody listens', place: (port: number) => `redis://127.0.0.1:${port}` },
    { name: 'there is no socket', place: () => 'unix:///nowhere/redis.sock' },
    { name: 'there is no such host', place: () => 'redis://nowhere.invalid:6379' },
    {
      name: 'no Sentinel listens',
      place: (port: number) => `redis+sentinel://127.0.0.1:${port},127.0.0.1:${port}/main`,
    },
  ])('says where and why after redis_connect_timeout, if $name', async ({ place }) => {
    const url = place(await freePort())
    const { text, tookMs } = await refusal(url)
    expect(text).toContain(url.replace(/^.*?:\/\/(.*?)(,.*|\/main)?$/, '$1'))
    expect(text).toMatch(/ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN/)
    expect(tookMs).toBeGreaterThan(CONNECT_SECONDS * 500)
    expect(tookMs).toBeLessThan(CONNECT_SECONDS * 1000 + LATE_MS)
  })

  it.each([
    { what: 'to nothing', silentTo: ['HELLO', 'INFO', 'SCRIPT'] },
    { what: 'not to INFO', silentTo: ['INFO'] },
    { what: 'not to SCRIPT', silentTo: ['SCRIPT'] },
  ])(
    'waits no longer than redis_connect_timeout for one that answers $what',
    async ({ silentTo }) => {
      const { text, tookMs } = await refusal(await startFakeRedis('7.0.0', silentTo))
      const [, ms] = /n[o']t? answer within (\d+) ms/.exec(text) ?? []
      expect(Number(ms)).toBeLessThanOrEqual(CONNECT_SECONDS * 1000)
      expect(tookMs).toBeLessThan(CONNECT_SECONDS * 1000 + LATE_MS)
    },
  )

  it('leaves time within redis_connect_timeout to ask the next address', async () => {
    let waitedMs = 0
    const silent = createServer((socket) => {
      const begun = performance.now()
      socket.on('error', () => {}) // it is given up
      socket.resume()
      socket.on('close', () => (waitedMs = performance.now() - begun))
    })
    const redis = await RedisServer.start()
    const ports = [await listen(silent), redis.port]
    const redis_url = `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`
    const times = { redis_connect_timeout: 8, redis_timeout: 60 }
    const settings = { redis_url, redis_prefix: freshPrefix(), ...times }
    const server = await ServerProcess.start({ settings })
    expect((await send(server, 'GET /health')).status).toBe(200)
    expect(waitedMs).toBeGreaterThan(0)
    expect(waitedMs).toBeLessThan(6000)
  })

  it('ends if something else than Redis keeps it from starting', async () => {
    const redis = await RedisServer.start()
    const redis_url = redis.url
    const first = await ServerProcess.start({ settings: { redis_url } })
    const args = ['--port', String(first.port)]
    const second = await ServerProcess.run({ args, settings: { redis_url } })
    expect(second.exit).toEqual({ code: 1, signal: null })
    expect(second.stderr).toContain('EADDRINUSE')
    const settings = { redis_url, port: 0, signature_checker: './missing.mjs' }
    const third = await ServerProcess.run({ settings })
    expect(third.exit).toEqual({ code: 1, signal: null })
    expect(third.stderr).toContain('is not usable')
  })

  it('says why the attempts failed that had time, not that the last one had none', async () => {
    let count = 0
    const server = createServer((socket) => {
      if (++count === 1) socket.destroy()
    })
    const { text } = await refusal(`redis://127.0.0.1:${await listen(server)}`)
    expect(count).toBeGreaterThan(1)
    expect(text).not.toContain('does not answer')
  })

  it('waits for one that comes up', async () => {
    const redis = await RedisServer.start()
    await redis.halt()
    const settings = { redis_url: redis.url, redis_connect_timeout: 20 }
    const starting = ServerProcess.start({ settings })
    await redis.restart()
    expect((await send(await starting, 'GET /health')).status).toBe(200)
  })

  it('says at once which version it needs', async () => {
    const { text, tookMs } = await refusal(await startFakeRedis('6.2.0'), 60)
    expect(text).toContain('is Redis 6.2.0; 7.0 or newer is needed')
    expect(tookMs).toBeLessThan(LATE_MS)
  })

  it('says at once that a password is wrong, or missing, and tells none', async () => {
    const redis = await RedisServer.start({ requirepass: 'hunter2' })
    for (const [login, why] of [
      [':hunter3@', 'WRONGPASS'],
      ['somebody:hunter3@', 'WRONGPASS'],
      ['', 'NOAUTH'],
    ] as const) {
      const { text, tookMs } = await refusal(`redis://${login}127.0.0.1:${redis.port}`, 60)
      expect(text).toContain(why)
      expect(text).toContain(`127.0.0.1:${redis.port}`)
      expect(text).not.toContain('hunter')
      expect(tookMs).toBeLessThan(LATE_MS)
    }
  })

  it('says that it is a replica', async () => {
    const master = await RedisServer.start()
    const replica = await RedisServer.start({ replicaof: `127.0.0.1 ${master.port}` })
    const { text } = await refusal(replica.url)
    expect(text).toContain('is a replica, to which nothing can be written')
  })
})

describe.concurrent('a Philote server that cannot use its Redis', { timeout: 90_000 }, () => {
  const philote = (REDIS_URL: string) =>
    ServerProcess.run({ args: ['philote'], env: { REDIS_URL, PORT: '0' } })

  it('says where and why when it has waited long enough, and ends', async () => {
    const place = `127.0.0.1:${await freePort()}`
    const env = { REDIS_URL: `redis://:hunter2@${place}/1`, PORT: '0' }
    const server = ServerProcess.spawned({ args: ['philote'], env })
    expect(await within(server.exited, 'its end', 40_000)).toEqual({ code: 1, signal: null })
    const { stdout, stderr } = server
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^channelstream: Redis \(.*\): .*ECONNREFUSED.*\n$/)
    expect(stderr).toContain(place)
    expect(stderr).not.toContain('hunter2')
  })

  it('says at once that a password is wrong, and tells none', async () => {
    const redis = await RedisServer.start({ requirepass: 'hunter2' })
    const begun = performance.now()
    const { exit, stderr } = await philote(redis.url.replace('//', '//:hunter3@'))
    expect(exit).toEqual({ code: 1, signal: null })
    expect(stderr).toMatch(
      new RegExp(`^channelstream: Redis \\(.*${redis.port}\\): WRONGPASS.*\n$`),
    )
    expect(stderr).not.toContain('hunter')
    expect(performance.now() - begun).toBeLessThan(LATE_MS)
  })

  it('ends if something else keeps it from starting', async () => {
    const redis = await RedisServer.start()
    const env = { REDIS_URL: redis.url, PORT: String(redis.port) }
    const args = ['philote', '--host', '127.0.0.1']
    const { exit, stderr } = await ServerProcess.run({ args, env })
    expect(exit).toEqual({ code: 1, signal: null })
    expect(stderr).toContain('EADDRINUSE')
  })

  it('is no reason for a server beside it not to start', async () => {
    const philote_redis_url = `redis://127.0.0.1:${await freePort()}`
    const philote_port = await freePort()
    const server = await ServerProcess.start({ settings: { philote_port, philote_redis_url } })
    expect((await send(server, 'GET /health')).status).toBe(200)
    await server.says(/Redis is away/)
  })
})

describe.concurrent('a client of Redis that is discarded', () => {
  it('leaves no connection, also if it was only being made', async () => {
    const redis = await RedisServer.start()
    const admin = await redis.client()
    const { host, port } = { host: '127.0.0.1', port: redis.port }
    const clients = Array.from({ length: 10 }, () =>
      createClient({ socket: { host, port, reconnectStrategy: false } }),
    )
    const ends = clients.map(async (client) => {
      client.on('error', () => {})
      const connecting = client.connect()
      discard(client)
      await expect(connecting).rejects.toThrow()
    })
    await Promise.all(ends)
    const isAlone = async (): Promise<boolean> =>
      (await admin.sendCommand<string>(['CLIENT', 'LIST'])).trim().split('\n').length === 1
    await until(isAlone, 'the connections to end')
    admin.destroy()
  })
})

describe.concurrent('a server whose Redis goes away', { timeout: 90_000 }, () => {
  it('logs it once each time, whatever is asked meanwhile, and never its password', async () => {
    const redis = await RedisServer.start({ ...ON_DISK, requirepass: 'hunter2' })
    const redis_url = redis.url.replace('//', '//:hunter2@')
    const settings = { redis_url, redis_prefix: freshPrefix(), redis_timeout: 2 }
    const server = await ServerProcess.start({ settings })
    const backend = new Backend(server)
    const connId = await backend.connect('ann', ['room'])
    const ann = await Listener.open(server, connId)
    await backend.say('room', 'hello')
    await ann.heard('hello')
    const logged = (): string[] => server.stderr.split('\n').filter((line) => line.startsWith('{'))
    const before = logged().length
    for (const time of [1, 2]) {
      await redis.halt()
      await server.says(new RegExp(`(Redis is away[^]*){${time}}`))
      await disturb(server, connId)
      await redis.restart()
      await server.says(new RegExp(`(Redis is back[^]*){${time}}`))
      await backend.say('room', `back ${time}`)
      await ann.heard(`back ${time}`)
    }
    const messages = logged()
      .slice(before)
      .map((line) => (JSON.parse(line) as { msg: string }).msg)
    const back = `Redis is back, at 127.0.0.1:${redis.port}`
    expect(messages).toEqual(['Redis is away', back, 'Redis is away', back])
    expect(server.output).not.toContain('hunter')
  })
})

/** Sends all kinds of requests, and clients connect and leave. */
async function disturb(server: ServerProcess, connId: string): Promise<void> {
  const backend = new Backend(server)
  const json = [{ user: 'ann', channel: 'room', message: {} }]
  for (const [line, sending] of [
    ['POST /message', { json }],
    ['POST /message', { json, headers: { 'idempotency-key': 'k' } }],
    ['POST /connect', { json: { username: 'bob', channels: ['room'] } }],
    ['POST /info', {}],
    ['POST /admin/admin.json', {}],
    ['GET /health', {}],
  ] as const)
    expect((await backend.send(line, sending)).status, line).toBe(503)
  expect((await send(server, `GET /listen?conn_id=${connId}`)).status).toBe(503)
  const late = await Listener.open(server, connId)
  expect((await late.closed).code).toBe(4013)
  // Sweeps and beats run meanwhile.
  let turns = 0
  const timer = setInterval(() => turns++, 500)
  await until(() => turns >= 3, 'a few turns')
  clearInterval(timer)
}

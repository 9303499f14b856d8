/** Requests that are sent again, to another server or after a lost answer. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { endAll } from '../helpers/ending.ts'
import { Backend, until } from '../helpers/http.ts'
import { freshPrefix } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { startServer } from '../helpers/server.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import { Listener } from '../helpers/websocket.ts'
import type { ConfigInput } from '../../src/config/load.ts'

describe('a request that is sent again', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(endAll)

  /** Two servers on one Redis, the first one behind a proxy. */
  async function startTwo(settings: ConfigInput = {}) {
    const proxy = await TcpProxy.start(redis.port)
    const shared = { redis_prefix: freshPrefix(), redis_timeout: 2, ...settings }
    const urls = [`redis://127.0.0.1:${proxy.port}`, redis.url]
    const [one, other] = await Promise.all(
      urls.map((redis_url) => startServer({ ...shared, redis_url })),
    )
    if (!one || !other) throw new Error('a server is missing')
    onTestFinished(async () => {
      await Promise.all([one.close(), other.close()])
      await proxy.stop()
    })
    return { proxy, other, backends: [new Backend(one), new Backend(other)] as const }
  }

  const message = (text: string, more: object = {}) => ({
    user: 'bob',
    channel: 'room',
    message: { text },
    ...more,
  })

  it('makes the same connection at another server, although no answer was kept', async () => {
    const { backends } = await startTwo({ max_idempotency_bytes: 1 })
    const ids = new Set<unknown>()
    for (const backend of [...backends, ...backends]) {
      const json = { username: 'ann', channels: ['room'] }
      const headers = { 'idempotency-key': 'k1' }
      const { status, body } = await backend.send('POST /connect', { json, headers })
      expect(status).toBe(200)
      ids.add((body as { conn_id: string }).conn_id)
    }
    expect(ids.size).toBe(1)
    const info = await backends[0].info()
    expect(info.channels['room']?.total_connections).toBe(1)
  })

  it.each([
    { name: 'with its own uuid', uuid: '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11' },
    { name: 'without a uuid', uuid: undefined },
  ])(
    'posts once with a key, $name, when Redis took it and the answer was lost',
    async ({ uuid }) => {
      const { proxy, other, backends } = await startTwo()
      const ann = await Listener.open(other, await backends[1].connect('ann', ['room']))
      const sending = {
        json: [message('first', { uuid }), message('second')],
        headers: { 'idempotency-key': 'k1' },
      }
      proxy.cutAfter('"first"')
      expect((await backends[0].send('POST /message', sending)).status).toBe(503)
      await ann.heard('second')
      for (const backend of [...backends, ...backends]) {
        await until(async () => {
          const { status, body } = await backend.send('POST /message', sending)
          expect([200, 503]).toContain(status)
          if (status !== 200) return false
          const told = ann.of('message').map((event) => event['uuid'])
          expect((body as { uuid: string }[]).map((posted) => posted.uuid)).toEqual(told)
          return true
        }, 'a repeat to be answered')
      }
      await backends[1].say('room', 'last')
      await ann.heard('last')
      expect(ann.texts).toEqual(['first', 'second', 'last'])
      if (uuid) expect(ann.of('message')[0]).toMatchObject({ uuid })
    },
  )

  it('does not know the recipients of what Redis took before, when the answer was lost', async () => {
    const { proxy, other, backends } = await startTwo()
    const ann = await Listener.open(other, await backends[1].connect('ann', ['room']))
    const sending = {
      json: [message('first', { channel: null, channels: ['room', 'typo'] })],
      headers: { 'idempotency-key': 'k1' },
    }
    proxy.cutAfter('"first"')
    expect((await backends[0].send('POST /message?recipients=1', sending)).status).toBe(503)
    await ann.heard('first')
    for (const backend of [backends[1], ...backends])
      await until(async () => {
        const { status, body } = await backend.send('POST /message?recipients=1', sending)
        if (status !== 200) return false
        expect(body).toMatchObject([{ channels: ['room', 'typo'], recipients: null }])
        return true
      }, 'a repeat to be answered')
    await backends[1].say('room', 'last')
    await ann.heard('last')
    expect(ann.texts).toEqual(['first', 'last'])
  })

  it('tells of who came and went once, when Redis took it and the answer was lost', async () => {
    const { proxy, other, backends } = await startTwo()
    const [near, far] = backends
    const channel_configs = { room: { notify_presence: true } }
    const annsId = await far.connect('ann', ['room'], { channel_configs })
    const watcher = await Listener.open(other, annsId)
    const presence = () => watcher.of('presence').map(({ user, message }) => [user, message])
    const joined = ['bob', { action: 'joined' }]
    const repeat = (path: string, json: object) =>
      until(async () => {
        const { status } = await near.send(path, { json })
        expect([200, 503]).toContain(status)
        return status === 200
      }, 'a repeat to be answered')

    const connect = { username: 'bob', conn_id: crypto.randomUUID(), channels: ['room'] }
    proxy.cutAfter(connect.conn_id)
    expect((await near.send('POST /connect', { json: connect })).status).toBe(503)
    await until(() => presence().length > 0, 'the coming to be told')
    await repeat('POST /connect', connect)
    expect(presence()).toEqual([joined])

    const unsubscribe = { conn_id: connect.conn_id, channels: ['room'] }
    proxy.cutAfter(connect.conn_id)
    expect((await near.send('POST /unsubscribe', { json: unsubscribe })).status).toBe(503)
    await until(() => presence().length > 1, 'the going to be told')
    await repeat('POST /unsubscribe', unsubscribe)
    await far.say('room', 'last')
    await watcher.heard('last')
    expect(presence()).toEqual([joined, ['bob', { action: 'parted' }]])
  })

  it('posts once more without a key, as documented, also with its uuid', async () => {
    const { proxy, other, backends } = await startTwo()
    const ann = await Listener.open(other, await backends[1].connect('ann', ['room']))
    const json = [message('first', { uuid: '7f0c9b52-4a8e-4f0e-8a0e-6d2f0f6c1f11' })]
    proxy.cutAfter('"first"')
    expect((await backends[0].send('POST /message', { json })).status).toBe(503)
    expect((await backends[1].send('POST /message', { json })).status).toBe(200)
    await backends[1].say('room', 'last')
    await ann.heard('last')
    expect(ann.texts).toEqual(['first', 'first', 'last'])
  })

  it.each([
    ['at the same server', 0],
    ['at another server', 1],
  ])('is done %s soon, when Redis knows of the first one, which was not done', async (_, at) => {
    const { proxy, other, backends } = await startTwo()
    const ann = await Listener.open(other, await backends[1].connect('ann', ['room']))
    const sending = { json: [message('once')], headers: { 'idempotency-key': 'claimed' } }
    proxy.cutAfter('claimed')
    expect((await backends[0].send('POST /message', sending)).status).toBe(503)
    proxy.heal()
    const healedAt = performance.now()
    await until(
      async () => (await backends[at]?.send('POST /message', sending))?.status === 200,
      'the repeat to be done',
    )
    // Nobody waits for a request that was given up. Otherwise its key would be blocked for two minutes.
    expect(performance.now() - healedAt).toBeLessThan(30_000)
    await ann.heard('once')
    expect(ann.texts).toEqual(['once'])
  })

  it('is answered with 503 anew, and not with the 503 of the first time', async () => {
    const { proxy, backends } = await startTwo()
    await backends[1].connect('ann', ['room'])
    const sending = { json: [message('first')], headers: { 'idempotency-key': 'k1' } }
    proxy.cutAfter('"first"')
    expect((await backends[0].send('POST /message', sending)).status).toBe(503)
    await until(
      async () => (await backends[0].send('POST /message', sending)).status === 200,
      'a repeat to be done',
    )
  })
})

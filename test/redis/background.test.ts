/** Failures of work that no caller waits for. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { StoreUnavailable } from '../../src/store/store.ts'
import { CONTRACT_OPTIONS } from '../contract/bench.ts'
import { anAnswer, begin } from '../contract/idempotency-cache.ts'
import { endAll } from '../helpers/ending.ts'
import { Backend, pause, send, signature, until } from '../helpers/http.ts'
import { ServerProcess } from '../helpers/process.ts'
import { freshPrefix, openRedisStore } from '../helpers/redis-store.ts'
import { RedisServer } from '../helpers/redis.ts'
import { TcpProxy } from '../helpers/tcp-proxy.ts'
import type { RedisClient } from '../helpers/redis.ts'

const PATIENCE_MS = 30_000
const ROOMY = { windowMs: 60_000, maxBytes: 1_000_000 }

describe('work in the background on Redis', { timeout: 90_000 }, () => {
  let redis: RedisServer
  let admin: RedisClient
  beforeAll(async () => {
    redis = await RedisServer.start()
    admin = await redis.client()
  })
  afterAll(async () => {
    admin.destroy()
    await endAll()
  })

  /** A store behind a proxy, its errors in the background, and whether Redis is unavailable to it. */
  async function openStore(prefix = freshPrefix()) {
    const proxy = await TcpProxy.start(redis.port)
    const faults: unknown[] = []
    const at = { isAway: false }
    const store = await openRedisStore(
      { url: `redis://127.0.0.1:${proxy.port}` },
      {
        ...CONTRACT_OPTIONS,
        prefix,
        timeoutMs: 3000,
        onAway: () => (at.isAway = true),
        onBack: () => (at.isAway = false),
        onFault: (error) => faults.push(error),
      },
    )
    onTestFinished(async () => {
      await store.stop()
      await proxy.stop()
    })
    return { store, proxy, faults, at, prefix }
  }

  it('that Redis refuses is told: an answer that is kept when Redis is back', async () => {
    const { store, proxy, faults, at, prefix } = await openStore()
    const settle = await begin(store.idempotencyCache(ROOMY), 'k')
    proxy.silence()
    await until(() => at.isAway, 'the silence to be noticed', PATIENCE_MS)
    await settle(anAnswer(), true)
    await admin.set(`{${prefix}}:a:k`, 'of another type')
    proxy.heal()
    await until(() => faults.length > 0, 'the fault', PATIENCE_MS)
    expect(String(faults[0])).toContain('WRONGTYPE')
  })

  it('is none for the answer to a repeat that nobody waits for any more', async () => {
    const { store, prefix } = await openStore()
    const { store: other, proxy, faults, at } = await openStore(prefix)
    await begin(store.idempotencyCache(ROOMY), 'k')
    const left = await other.idempotencyCache(ROOMY).claim('k', 'f')
    const waiting = await other.idempotencyCache(ROOMY).claim('k', 'f')
    if (left.outcome !== 'repeat' || waiting.outcome !== 'repeat') throw new Error('no repeats')
    const refused = expect(waiting.answer()).rejects.toThrow(StoreUnavailable)
    proxy.silence()
    await until(() => at.isAway, 'the silence to be noticed', PATIENCE_MS)
    await refused
    // The first would have looked up the answer at the same time as the second. An unhandled rejection fails the test.
    await new Promise((resolve) => setImmediate(resolve))
    expect(faults).toEqual([])
  })

  it('tells why Redis is away when it refuses a beat, and goes on when it does no more', async () => {
    const prefix = freshPrefix()
    const server = await ServerProcess.start({
      settings: { redis_url: redis.url, redis_prefix: prefix },
      mayFault: true,
    })
    const servers = `{${prefix}}:servers`
    await admin.set(servers, 'of another type')
    await server.says(/WRONGTYPE.*"msg":"Redis is away/)
    await admin.del(servers)
    await until(async () => (await admin.zCard(servers)) === 1, 'the next beat', PATIENCE_MS)
    const isHealthy = async () => (await send(server, 'GET /health')).status === 200
    await until(isHealthy, 'the server to be well', PATIENCE_MS)
  })

  it('of a repeat whose caller has gone costs nothing when Redis goes away', async () => {
    const prefix = freshPrefix()
    const own = await RedisServer.start()
    const store = await openRedisStore(own, { ...CONTRACT_OPTIONS, prefix })
    const server = await ServerProcess.start({
      settings: { redis_url: own.url, redis_prefix: prefix, redis_timeout: 3 },
    })
    const json = [{ user: 'bob', channel: 'room', message: { text: 'hello' } }]
    const body = JSON.stringify(json)
    // Another server executes the first request, and never answers.
    const digest = createHash('sha256').update('POST /message?\n').update(body).digest('base64url')
    await begin(store.idempotencyCache(ROOMY), 'k', digest)
    const caller = new AbortController()
    const repeat = send(server, 'POST /message', {
      body,
      headers: { ...signature(), 'idempotency-key': 'k' },
      signal: caller.signal,
    })
    const asked = await own.client()
    const isAsked = async () => Object.keys(await asked.hGetAll(`{${prefix}}:a:k`)).length > 2
    await until(isAsked, 'the repeat to wait', PATIENCE_MS)
    caller.abort()
    await expect(repeat).rejects.toThrow()
    asked.destroy()
    await store.stop()
    await own.halt()
    await server.says(/"msg":"Redis is away"/)
    // Longer than the time after which it looks up the answer itself.
    await pause(3000)
    expect(server.exit).toBeUndefined()
    expect(server.stderr).not.toMatch(/"msg":"(?!Server listening|Redis is away)/)
    await own.restart()
    await server.says(/"msg":"Redis is back/)
    await new Backend(server).connect('ann', ['room'])
  })
})

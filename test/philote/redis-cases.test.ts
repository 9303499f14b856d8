import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/config/load.ts'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { RedisServer, stopRedisServers } from '../helpers/redis.ts'
import { doesStep, loadCases } from './cases.ts'
import { play } from './player.ts'
import { RedisSide } from './redis-side.ts'
import { startPhilote } from './start.ts'
import type { Case } from './cases.ts'

/** Concurrent cases, which mostly wait. Each has a separate Redis, because they use the same names. */
const SIDE_BY_SIDE = 4
vi.setConfig({ maxConcurrency: SIDE_BY_SIDE })

const free: RedisServer[] = []
beforeAll(async () => {
  for (let count = 0; count < SIDE_BY_SIDE; count++) free.push(await RedisServer.start())
}, INSTALL_TIMEOUT_MS)
afterAll(async () => {
  await killProcesses()
  await stopRedisServers()
})

async function withRedis<Result>(work: (redis: RedisServer) => Promise<Result>): Promise<Result> {
  const redis = free.pop()
  if (!redis) throw new Error('no Redis is free')
  return work(redis).finally(() => free.push(redis))
}

function environmentOf({ env = {} }: Case, redis: RedisServer): Record<string, string> {
  const given = Object.entries({ REDIS_URL: redis.url, ...env })
  const kept = given.filter((entry): entry is [string, string] => entry[1] !== null)
  return Object.fromEntries(
    kept.map(([name, value]) => [name, value.replace('${redis}', redis.url)]),
  )
}

async function playRedis(played: Case, redis: RedisServer): Promise<void> {
  const env = environmentOf(played, redis)
  const side = await RedisSide.open(redis)
  if (doesStep(played, 'cpu')) {
    const server = await ServerProcess.startPhilote({ env })
    return play(played, { port: server.port, secret: '', pid: server.pid, redis: side }).finally(
      () => server.kill(),
    )
  }
  const server = await startPhilote(env)
  return play(played, { port: server.port, secret: '', redis: side }).finally(() => server.close())
}

const cases = loadCases().filter(({ generation }) => generation === 'redis')

function playAll(some: readonly Case[]): void {
  for (const played of some) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, () =>
      withRedis(async (redis) => {
        if (played.start !== 'fails') return playRedis(played, redis)
        expect(() => loadPhilote([], environmentOf(played, redis))).toThrow(ConfigError)
      }),
    )
  }
}

describe.concurrent('recorded cases of the Redis generation', () => {
  playAll(cases.filter(({ alone }) => !alone))
})

describe('recorded cases of the Redis generation, one by one', () => {
  playAll(cases.filter(({ alone }) => alone))
})

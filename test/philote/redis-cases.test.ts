import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/config/load.ts'
import { INSTALL_TIMEOUT_MS } from '../helpers/debian-packages.ts'
import { RedisServer } from '../helpers/redis.ts'
import { RedisSide } from './redis-side.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { doesStep, loadCases } from './cases.ts'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { play } from './player.ts'
import { startPhilote } from './start.ts'
import type { Case } from './cases.ts'

let redis: RedisServer
beforeAll(async () => (redis = await RedisServer.start()), INSTALL_TIMEOUT_MS)
afterAll(async () => {
  await killProcesses()
  await redis.stop()
})

function environmentOf({ env = {} }: Case): Record<string, string> {
  const given = Object.entries({ REDIS_URL: redis.url, ...env })
  const kept = given.filter((entry): entry is [string, string] => entry[1] !== null)
  return Object.fromEntries(
    kept.map(([name, value]) => [name, value.replace('${redis}', redis.url)]),
  )
}

async function playRedis(played: Case): Promise<void> {
  const env = environmentOf(played)
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

// They share one Redis, so they go one after another.
describe('recorded cases of the Redis generation', () => {
  for (const played of cases) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, async () => {
      if (played.start !== 'fails') return playRedis(played)
      expect(() => loadPhilote([], environmentOf(played))).toThrow(ConfigError)
    })
  }
})

/** The same scenarios on Redis: with one server, and with three that get the requests in turn. */
import { afterAll, beforeAll, describe, it, vi } from 'vitest'
import { RedisServer } from '../helpers/redis.ts'
import { Servers } from '../helpers/servers.ts'
import { play } from './player.ts'
import { loadScenarios, settingsOf } from './scenario.ts'

vi.setConfig({ maxConcurrency: 8 })

const USUAL_SECONDS = 4

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis.stop())

describe.concurrent.each([1, 3])('conformance of %i servers on Redis', (count) => {
  for (const { label, scenario } of loadScenarios()) {
    const timeout = 20_000 + (scenario.seconds ?? USUAL_SECONDS) * 2000
    it(`${label}: ${scenario.why}`, { timeout }, async () => {
      const servers = await Servers.start(redis, count, settingsOf(scenario))
      try {
        await play(scenario, servers)
      } finally {
        await servers.close()
      }
    })
  }
})

import { beforeAll, describe, it, vi } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { play } from './player.ts'
import { loadScenarios, settingsOf } from './scenario.ts'

// Scenarios mostly wait, so many can run in parallel. With too many, they wait for the CPU, and timed ones (gathering
// polls, heartbeat gaps) fail. More than this saves no time, since the longest takes twenty seconds.
vi.setConfig({ maxConcurrency: 8 })

const USUAL_SECONDS = 4

// The first server of a process loads and compiles everything. No scenario should have to wait for that.
beforeAll(async () => {
  const server = await startServer()
  await server.close()
})

describe.concurrent('conformance', () => {
  for (const { label, scenario } of loadScenarios()) {
    const timeout = 15_000 + (scenario.seconds ?? USUAL_SECONDS) * 2000
    it(`${label}: ${scenario.why}`, { timeout }, async () => {
      const server = await startServer(settingsOf(scenario))
      try {
        await play(scenario, server)
      } finally {
        await server.close()
      }
    })
  }
})

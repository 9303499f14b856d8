import { beforeAll, describe, it, vi } from 'vitest'
import { startServer } from '../helpers/server.ts'
import { play } from './player.ts'
import { loadScenarios, settingsOf } from './scenario.ts'

// Scenarios mostly wait, so many fit side by side, up to where they wait for the processor: then the
// timed ones (polls that gather, gaps of heartbeats) suffer. More than this saves nothing, since the
// longest takes twenty seconds by itself.
vi.setConfig({ maxConcurrency: 8 })

const USUAL_SECONDS = 4

// The first server of a process loads and compiles everything, which no scenario should have to wait for.
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
